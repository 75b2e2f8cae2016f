//! Rules of dispatch, likeness of texts, and what similar requests say about who should lead.

use std::collections::{BTreeMap, BTreeSet};

use drumtower_proto::ticketing::ticket::{Kind, Urgency};
use drumtower_runtime::Refusal;
use serde::Deserialize;
use uuid::Uuid;

/// A district's rules; the first that fits names the units.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rules {
    pub rules: Vec<Rule>,
}

/// One line of the dispatch catalogue: what it is about, where, and whose it is, with the clause that says so.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    pub name: String,
    /// The law or the list of duties that makes it this unit's.
    pub clause: String,
    /// Fits requests that say one of these; without any it fits every text.
    #[serde(default)]
    pub words: Vec<String>,
    #[serde(default)]
    pub kinds: Vec<String>,
    #[serde(default)]
    pub urgencies: Vec<String>,
    #[serde(default)]
    pub zone_ids: Vec<Uuid>,
    #[serde(default)]
    pub building_ids: Vec<Uuid>,
    pub lead_unit_id: Uuid,
    #[serde(default)]
    pub support_unit_ids: Vec<Uuid>,
    /// Needs no dispatcher: what it fits is sent as soon as it is accepted.
    #[serde(default)]
    pub auto: bool,
}

/// What a rule looks at.
#[derive(Debug, Clone)]
pub struct Matter<'a> {
    pub title: &'a str,
    pub description: &'a str,
    pub kind: Kind,
    pub urgency: Urgency,
    pub zone: Option<Uuid>,
    pub building: Option<Uuid>,
}

impl Rules {
    /// Says what is wrong: a rule that would fit everything, a name that is none, a unit that leads and supports.
    pub fn check(&self) -> Result<(), Refusal> {
        let mut names = BTreeSet::new();
        for (place, rule) in self.rules.iter().enumerate() {
            let wrong = |reason: &'static str, zh: &str, en: &str| {
                let (zh, en) = (format!("第 {} 条{zh}", place + 1), format!("rule {}: {en}", place + 1));
                Err(Refusal::invalid(format!("rules[{place}]"), reason, zh, en))
            };
            if rule.name.trim().is_empty() || rule.clause.trim().is_empty() {
                return wrong("UNNAMED", "缺少名称或依据", "says its name and its clause");
            }
            if !names.insert(rule.name.as_str()) {
                return wrong("NAME_TWICE", "名称重复", "has the name of another");
            }
            if rule.words.iter().any(|word| word.trim().chars().count() < 2) {
                return wrong("WORD", "的关键词至少两个字", "a word has two characters at least");
            }
            let anything = rule.words.is_empty() && rule.zone_ids.is_empty() && rule.building_ids.is_empty();
            if anything && rule.kinds.is_empty() && rule.urgencies.is_empty() {
                return wrong("FITS_EVERYTHING", "适用于所有诉求", "would fit everything");
            }
            if rule.kinds.iter().any(|kind| Kind::from_str_name(kind).is_none()) {
                return wrong("KIND", "的诉求类型不存在", "there is no such kind");
            }
            if rule.urgencies.iter().any(|urgency| Urgency::from_str_name(urgency).is_none()) {
                return wrong("URGENCY", "的紧急程度不存在", "there is no such urgency");
            }
            if rule.support_unit_ids.contains(&rule.lead_unit_id) {
                return wrong("LEAD_IS_SUPPORT", "的主办单位不能同时为协办单位", "the lead unit is not a support unit too");
            }
        }
        Ok(())
    }

    /// All units that are named.
    pub fn units(&self) -> Vec<Uuid> {
        let all: BTreeSet<Uuid> =
            self.rules.iter().flat_map(|rule| std::iter::once(rule.lead_unit_id).chain(rule.support_unit_ids.iter().copied())).collect();
        all.into_iter().collect()
    }

    /// The first rule that fits.
    pub fn find(&self, matter: &Matter<'_>) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.fits(matter))
    }
}

impl Rule {
    fn fits(&self, matter: &Matter<'_>) -> bool {
        let says = |word: &String| matter.title.contains(word.as_str()) || matter.description.contains(word.as_str());
        let among = |ids: &[Uuid], id: Option<Uuid>| ids.is_empty() || id.is_some_and(|id| ids.contains(&id));
        (self.words.is_empty() || self.words.iter().any(says))
            && (self.kinds.is_empty() || self.kinds.iter().any(|kind| kind == matter.kind.as_str_name()))
            && (self.urgencies.is_empty() || self.urgencies.iter().any(|urgency| urgency == matter.urgency.as_str_name()))
            && among(&self.zone_ids, matter.zone)
            && among(&self.building_ids, matter.building)
    }
}

/// The pairs of neighbouring characters of a text; spaces and punctuation do not count, letters are small.
pub fn pairs(text: &str) -> BTreeSet<[char; 2]> {
    let letters: Vec<char> = text.chars().filter(|letter| letter.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    letters.windows(2).map(|two| [two[0], two[1]]).collect()
}

/// How alike two texts are, per cent: the pairs they share twice over all their pairs (Dice).
pub fn likeness(a: &BTreeSet<[char; 2]>, b: &BTreeSet<[char; 2]>) -> i32 {
    let all = a.len() + b.len();
    if all == 0 {
        return 0;
    }
    let shared = a.intersection(b).count();
    i32::try_from((200 * shared + all / 2) / all).unwrap_or(100)
}

/// The words of a request count by its title first: who writes it again writes the title alike and the description otherwise.
pub fn alike(ours: (&str, &str), theirs: (&str, &str)) -> i32 {
    let whole = |(title, description): (&str, &str)| format!("{title}{description}");
    let titles = likeness(&pairs(ours.0), &pairs(theirs.0));
    let wholes = likeness(&pairs(&whole(ours)), &pairs(&whole(theirs)));
    titles.max(wholes)
}

/// Who led, weighed by how alike the requests are: units with their share of the weight, per cent, the greatest first.
pub fn leaders(similar: &[(Uuid, i32)]) -> Vec<(Uuid, i32)> {
    let mut weights: BTreeMap<Uuid, i32> = BTreeMap::new();
    for (unit, likeness) in similar {
        *weights.entry(*unit).or_default() += likeness.max(&1);
    }
    let whole: i32 = weights.values().sum();
    let mut shares: Vec<(Uuid, i32)> =
        weights.into_iter().map(|(unit, weight)| (unit, (100 * weight + whole / 2) / whole.max(1))).collect();
    shares.sort_by_key(|(unit, share)| (-share, *unit));
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRE: Uuid = Uuid::from_u128(1);
    const MARKET: Uuid = Uuid::from_u128(2);

    fn rules(text: &str) -> Rules {
        serde_json::from_str(&text.replace("FIRE", &FIRE.to_string()).replace("MARKET", &MARKET.to_string())).expect("rules")
    }

    fn matter<'a>(title: &'a str, description: &'a str) -> Matter<'a> {
        Matter { title, description, kind: Kind::Help, urgency: Urgency::Normal, zone: None, building: Some(Uuid::from_u128(9)) }
    }

    #[test]
    fn the_first_rule_that_fits_names_the_units() {
        let rules = rules(
            r#"{"rules":[
            {"name":"消防","clause":"消防法第四条","words":["消防","灭火"],"lead_unit_id":"FIRE","support_unit_ids":["MARKET"]},
            {"name":"求助兜底","clause":"首接负责","kinds":["HELP"],"lead_unit_id":"MARKET"}]}"#,
        );
        rules.check().expect("in order");
        assert_eq!(rules.find(&matter("消防通道被占", "")).map(|rule| rule.lead_unit_id), Some(FIRE));
        assert_eq!(rules.find(&matter("走廊漏水", "天花板滴水")).map(|rule| rule.name.as_str()), Some("求助兜底"));
        assert!(rules.find(&Matter { kind: Kind::Complaint, ..matter("走廊漏水", "") }).is_none());
        assert_eq!(rules.units(), [FIRE, MARKET]);
    }

    #[test]
    fn a_rule_says_what_it_fits_and_why() {
        for (text, reason) in [
            (r#"{"rules":[{"name":"x","clause":"y","lead_unit_id":"FIRE"}]}"#, "FITS_EVERYTHING"),
            (r#"{"rules":[{"name":"x","clause":"","words":["消防"],"lead_unit_id":"FIRE"}]}"#, "UNNAMED"),
            (r#"{"rules":[{"name":"x","clause":"y","words":["火"],"lead_unit_id":"FIRE"}]}"#, "WORD"),
            (r#"{"rules":[{"name":"x","clause":"y","kinds":["GOSSIP"],"lead_unit_id":"FIRE"}]}"#, "KIND"),
            (
                r#"{"rules":[{"name":"x","clause":"y","words":["消防"],"lead_unit_id":"FIRE","support_unit_ids":["FIRE"]}]}"#,
                "LEAD_IS_SUPPORT",
            ),
        ] {
            assert_eq!(rules(text).check().expect_err("refused").reason(), reason);
        }
    }

    #[test]
    fn texts_are_alike_by_the_pairs_they_share() {
        assert_eq!(alike(("三楼走廊漏水", ""), ("三楼走廊漏水", "已影响办公")), 100);
        assert!(alike(("三楼走廊漏水", "雨后滴水"), ("3楼走廊又漏水了", "雨后一直滴水")) >= 40);
        assert!(alike(("三楼走廊漏水", "雨后滴水"), ("集体户口落户", "材料反复补正")) < 10);
        assert_eq!(alike(("!", ""), ("?", "")), 0);
    }

    #[test]
    fn who_led_more_alike_requests_comes_first() {
        assert_eq!(leaders(&[(MARKET, 30), (FIRE, 90), (MARKET, 30)]), [(FIRE, 60), (MARKET, 40)]);
        assert!(leaders(&[]).is_empty());
    }
}
