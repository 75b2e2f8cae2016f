//! The dated tree.

use std::collections::{BTreeMap, BTreeSet};

use drumtower_runtime::Refusal;
use jiff::civil::Date;
use uuid::Uuid;

/// Counts of people below this are shown as none (DESIGN §7).
const LEAST_SHOWN: i64 = 5;

/// While an organisation exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Life {
    /// First day.
    pub founded_on: Date,
    /// First day that it no longer exists.
    pub dissolved_on: Option<Date>,
}

impl Life {
    /// Whether it exists on a day.
    pub fn covers(&self, day: Date) -> bool {
        self.founded_on <= day && self.dissolved_on.is_none_or(|end| day < end)
    }

    /// Refuses a day on which it does not exist.
    pub fn must_cover(&self, field: &'static str, day: Date) -> Result<(), Refusal> {
        if self.covers(day) {
            return Ok(());
        }
        Err(Refusal::invalid(field, "ORGANISATION_NOT_THERE", "该组织当日不存在", "the organisation does not exist on that day"))
    }
}

/// One organisation stands under another from a day on, until before another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edge {
    /// Below.
    pub child: Uuid,
    /// Above.
    pub parent: Uuid,
    /// First day.
    pub from: Date,
    /// First day that it no longer holds.
    pub to: Option<Date>,
}

/// What a move does to the edges of the organisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Move {
    /// It had nothing above it: a first edge begins.
    Begin,
    /// The current edge ends where the new one begins.
    Follow,
    /// The current edge began on that very day: it is replaced.
    Replace,
}

/// Decides a move that holds from a day on for ever. `edges` are those of the district that hold on that day or later.
pub fn relocate(edges: &[Edge], child: Uuid, parent: Uuid, from: Date) -> Result<Move, Refusal> {
    let current = edges.iter().filter(|edge| edge.child == child).max_by_key(|edge| edge.from);
    if let Some(current) = current
        && from < current.from
    {
        let (zh, en) = ("不能早于现隶属关系的起始日", "the move is before the day the current edge began");
        return Err(Refusal::state("BEFORE_CURRENT", zh, en).field("from", en).fact("current_from", current.from.to_string()));
    }
    if current.is_some_and(|current| current.parent == parent && current.to.is_none()) {
        return Err(Refusal::state("ALREADY_THERE", "该组织已隶属于目标组织", "stands under that organisation already"));
    }
    if child == parent || stands_above(edges, child, parent, from) {
        return Err(Refusal::state("CYCLE", "不能移到自身或下级组织之下", "an organisation cannot stand under itself"));
    }
    Ok(match current {
        None => Move::Begin,
        Some(current) if current.from == from => Move::Replace,
        Some(_) => Move::Follow,
    })
}

/// Whether `above` stands somewhere above `below` on any day from `from` on.
fn stands_above(edges: &[Edge], above: Uuid, below: Uuid, from: Date) -> bool {
    let mut up: BTreeMap<Uuid, Vec<&Edge>> = BTreeMap::new();
    for edge in edges {
        up.entry(edge.child).or_default().push(edge);
    }
    let mut seen = BTreeSet::new();
    let mut queue = vec![(below, from, None::<Date>)];
    while let Some((node, since, until)) = queue.pop() {
        for edge in up.get(&node).into_iter().flatten() {
            let start = since.max(edge.from);
            let end = match (until, edge.to) {
                (Some(one), Some(other)) => Some(one.min(other)),
                (one, other) => one.or(other),
            };
            if end.is_some_and(|end| end <= start) {
                continue;
            }
            if edge.parent == above {
                return true;
            }
            if seen.insert((edge.parent, start, end)) {
                queue.push((edge.parent, start, end));
            }
        }
    }
    false
}

/// Which organisations a caller's permission reaches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reached {
    /// Every one of the district.
    All,
    /// Some.
    Some(BTreeSet<Uuid>),
}

impl Reached {
    /// What is outside is answered like what does not exist.
    pub fn must_include(&self, organisation: Uuid, kind: &'static str) -> Result<(), Refusal> {
        match self {
            Self::All => Ok(()),
            Self::Some(some) if some.contains(&organisation) => Ok(()),
            Self::Some(_) => Err(Refusal::not_found(kind)),
        }
    }

    /// For a list: whether it is all, else which.
    pub fn listed(&self) -> (bool, Vec<Uuid>) {
        match self {
            Self::All => (true, Vec::new()),
            Self::Some(some) => (false, some.iter().copied().collect()),
        }
    }
}

/// A count of people as it may be shown.
pub fn shown(count: i64, may_read_members: bool) -> i32 {
    if count < LEAST_SHOWN && !may_read_members { 0 } else { i32::try_from(count).unwrap_or(i32::MAX) }
}

#[cfg(test)]
mod tests {
    use jiff::ToSpan as _;
    use proptest::prelude::*;

    use super::*;

    fn day(number: i64) -> Date {
        jiff::civil::date(2020, 1, 1).saturating_add(number.days())
    }

    fn node(number: u128) -> Uuid {
        Uuid::from_u128(number)
    }

    #[test]
    fn small_counts_are_shown_to_those_who_may_read_members_only() {
        assert_eq!([0, 4, 5, 30].map(|count| shown(count, false)), [0, 0, 5, 30]);
        assert_eq!([0, 4, 5, 30].map(|count| shown(count, true)), [0, 4, 5, 30]);
    }

    #[test]
    fn a_move_does_not_begin_before_the_current_edge() {
        let edges = [Edge { child: node(1), parent: node(9), from: day(10), to: None }];
        assert_eq!(relocate(&edges, node(1), node(2), day(9)).map_err(|refusal| refusal.reason()), Err("BEFORE_CURRENT"));
        assert_eq!(relocate(&edges, node(1), node(2), day(10)), Ok(Move::Replace));
        assert_eq!(relocate(&edges, node(1), node(2), day(11)), Ok(Move::Follow));
        assert_eq!(relocate(&edges, node(1), node(9), day(11)).map_err(|refusal| refusal.reason()), Err("ALREADY_THERE"));
        assert_eq!(relocate(&edges, node(3), node(1), day(0)), Ok(Move::Begin));
    }

    #[test]
    fn a_cycle_in_the_future_is_a_cycle() {
        // 2 comes under 1 on day 50; 1 may not go under 2 from day 10 on, though on day 10 that would still be a tree.
        let edges = [Edge { child: node(2), parent: node(1), from: day(50), to: None }];
        assert_eq!(relocate(&edges, node(1), node(2), day(10)).map_err(|refusal| refusal.reason()), Err("CYCLE"));
        let ended = [Edge { child: node(2), parent: node(1), from: day(5), to: Some(day(10)) }];
        assert_eq!(relocate(&ended, node(1), node(2), day(10)), Ok(Move::Begin));
    }

    fn apply(edges: &mut Vec<Edge>, child: Uuid, parent: Uuid, from: Date) {
        let Ok(done) = relocate(edges, child, parent, from) else { return };
        let current = edges.iter().enumerate().filter(|(_, edge)| edge.child == child).max_by_key(|(_, edge)| edge.from).map(|(at, _)| at);
        match (done, current) {
            (Move::Replace, Some(at)) => {
                edges.remove(at);
            }
            (Move::Follow, Some(at)) => edges[at].to = Some(from),
            _ => {}
        }
        edges.push(Edge { child, parent, from, to: None });
    }

    proptest! {
        #[test]
        fn no_moves_ever_make_a_cycle(moves in prop::collection::vec((0..6u128, 0..6u128, 0..40i64), 0..40)) {
            let mut edges = Vec::new();
            for (child, parent, from) in moves {
                apply(&mut edges, node(child), node(parent), day(from));
            }
            for on in 0..45 {
                for start in 0..6 {
                    let mut at = node(start);
                    let mut steps = 0;
                    while let Some(edge) = edges.iter().find(|e| e.child == at && e.from <= day(on) && e.to.is_none_or(|to| to > day(on))) {
                        at = edge.parent;
                        steps += 1;
                        prop_assert!(steps < 6, "a cycle on day {on}");
                    }
                }
            }
        }
    }
}
