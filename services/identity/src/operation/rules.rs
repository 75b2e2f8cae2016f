//! What the states of services say together: how far behind a reader is takes the reader's place and the end of the log that it reads.

use std::collections::BTreeMap;

use drumtower_proto::{
    identity::{Follower, ServiceOperation},
    log::{GetStateResponse, Reading},
};

/// Behind by an unknown number: the service whose log it is did not answer.
const UNKNOWN: i64 = -1;

/// Services with their states, or why there is none.
pub type States = BTreeMap<&'static str, Result<GetStateResponse, String>>;

/// How each service works.
pub fn services(states: &States) -> Vec<ServiceOperation> {
    let head = |service: &str| states.get(service).and_then(|state| state.as_ref().ok()).map(|state| state.head);
    let one = |(name, state): (&&'static str, &Result<GetStateResponse, String>)| match state {
        Err(reason) => ServiceOperation { name: (*name).to_owned(), reason: reason.clone(), ..ServiceOperation::default() },
        Ok(state) => ServiceOperation {
            name: (*name).to_owned(),
            up: true,
            reason: String::new(),
            version: state.version.clone(),
            started_at: state.started_at,
            head: state.head,
            unnumbered: state.unnumbered,
            followers: state.readings.iter().map(|reading| follower(reading, head(&reading.source))).collect(),
            deliveries: state.deliveries,
            dues: state.dues.clone(),
        },
    };
    states.iter().map(one).collect()
}

/// States are asked at slightly different moments: a reader that is ahead of the end as it was told has read everything.
fn follower(reading: &Reading, head: Option<i64>) -> Follower {
    Follower {
        consumer: reading.consumer.clone(),
        source: reading.source.clone(),
        behind: head.map_or(UNKNOWN, |head| (head - reading.seq).max(0)),
        set_aside: reading.set_aside,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_is_down_hides_none_of_the_others() {
        let reading =
            |source: &str, seq: i64| Reading { consumer: format!("notices of {source}"), source: source.to_owned(), seq, set_aside: 2 };
        let identity = GetStateResponse {
            version: "1".into(),
            readings: vec![reading("ticketing", 7), reading("party", 3), reading("ticketing", 11)],
            ..GetStateResponse::default()
        };
        let ticketing = GetStateResponse { head: 10, unnumbered: 1, ..GetStateResponse::default() };
        let states = States::from([("party", Err("no answer".to_owned())), ("identity", Ok(identity)), ("ticketing", Ok(ticketing))]);
        let shown = services(&states);
        let up: Vec<(&str, bool, &str)> = shown.iter().map(|one| (one.name.as_str(), one.up, one.reason.as_str())).collect();
        assert_eq!(up, [("identity", true, ""), ("party", false, "no answer"), ("ticketing", true, "")]);
        let behind: Vec<(i64, i64)> = shown[0].followers.iter().map(|one| (one.behind, one.set_aside)).collect();
        assert_eq!(behind, [(3, 2), (UNKNOWN, 2), (0, 2)]);
        assert_eq!((shown[2].head, shown[2].unnumbered), (10, 1));
    }
}
