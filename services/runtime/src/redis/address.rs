//! Where Redis is.

use ::redis::{ConnectionInfo, ErrorKind, IntoConnectionInfo as _, RedisError, RedisResult};

/// One of three shapes of an installation.
#[derive(Debug)]
pub(super) enum Address {
    /// `redis://[[user]:password@]host[:port][/db]`: one server.
    One(ConnectionInfo),
    /// `redis+sentinel://[[user]:password@]host[:port][,…]/name[/db]`: the master of this name, of which these Sentinels know where it is.
    /// The password is the master's.
    Watched { sentinels: Vec<ConnectionInfo>, name: String, master: ConnectionInfo },
    /// `redis+cluster://[[user]:password@]host[:port][,…]`: a Cluster, of which these are some nodes.
    Cluster(Vec<ConnectionInfo>),
}

const SENTINEL_PORT: u16 = 26379;
const PORT: u16 = 6379;

impl Address {
    pub fn parse(url: &str) -> RedisResult<Self> {
        if let Some(rest) = url.strip_prefix("redis+sentinel://") {
            let (who, hosts, path) = parts(rest);
            let (name, db) = path.split_once('/').unwrap_or((path, "0"));
            if name.is_empty() {
                return Err(wrong("a Sentinel URL ends with the master's name: redis+sentinel://host:26379/name"));
            }
            let sentinels = hosts.split(',').map(|host| node("", host, SENTINEL_PORT, "0")).collect::<Result<_, _>>()?;
            // The Sentinels say where the master is; of this one only its user, password and database matter.
            return Ok(Self::Watched { sentinels, name: name.to_owned(), master: node(who, "master", PORT, db)? });
        }
        if let Some(rest) = url.strip_prefix("redis+cluster://") {
            let (who, hosts, path) = parts(rest);
            if !path.is_empty() {
                return Err(wrong("a Cluster has one database: nothing follows the hosts"));
            }
            return Ok(Self::Cluster(hosts.split(',').map(|host| node(who, host, PORT, "0")).collect::<Result<_, _>>()?));
        }
        Ok(Self::One(url.into_connection_info()?))
    }
}

/// User and password with their `@`, hosts, path.
fn parts(rest: &str) -> (&str, &str, &str) {
    let at = rest.rfind('@').map_or(0, |at| at + 1);
    let (who, place) = rest.split_at(at);
    let (hosts, path) = place.split_once('/').unwrap_or((place, ""));
    (who, hosts, path.trim_end_matches('/'))
}

fn node(who: &str, host: &str, port: u16, db: &str) -> RedisResult<ConnectionInfo> {
    // A colon inside the brackets of an IPv6 address is no port.
    let port = if host.rsplit(']').next().is_some_and(|rest| rest.contains(':')) { String::new() } else { format!(":{port}") };
    format!("redis://{who}{host}{port}/{db}").into_connection_info()
}

fn wrong(text: &'static str) -> RedisError {
    (ErrorKind::InvalidClientConfig, text).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(nodes: &[ConnectionInfo]) -> Vec<String> {
        nodes.iter().map(|node| node.addr().to_string()).collect()
    }

    #[test]
    fn the_three_forms_are_read_and_half_ones_refused() {
        assert!(matches!(Address::parse("redis://:secret@cache:6390/2"), Ok(Address::One(one)) if one.redis_settings().db() == 2));
        let Ok(Address::Watched { sentinels, name, master }) = Address::parse("redis+sentinel://:p%40ss@a,b:5000,[::1]/park/3") else {
            panic!("not read");
        };
        assert_eq!(places(&sentinels), ["a:26379", "b:5000", "::1:26379"]);
        assert_eq!((name.as_str(), master.redis_settings().db(), master.redis_settings().password()), ("park", 3, Some("p@ss")));
        assert!(sentinels.iter().all(|sentinel| sentinel.redis_settings().password().is_none()));
        assert!(matches!(Address::parse("redis+cluster://u:p@a:1,b/"), Ok(Address::Cluster(nodes)) if places(&nodes) == ["a:1", "b:6379"]));
        for half in [
            "redis+sentinel://a:26379",
            "redis+sentinel:///name",
            "redis+cluster://a:1/2",
            "redis+cluster://",
            "http://a",
            "redis+cluster://a:x",
        ] {
            assert!(Address::parse(half).is_err(), "{half}");
        }
    }
}
