//! The tree of units.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

/// A node and everything below it. A node that is not a unit (a party organisation) stands for itself.
pub fn below(node: Uuid, edges: &[(Uuid, Option<Uuid>)]) -> Vec<Uuid> {
    let mut children: BTreeMap<Uuid, Vec<Uuid>> = BTreeMap::new();
    for (child, parent) in edges {
        if let Some(parent) = parent {
            children.entry(*parent).or_default().push(*child);
        }
    }
    let mut found = BTreeSet::from([node]);
    let mut queue = vec![node];
    while let Some(next) = queue.pop() {
        for child in children.get(&next).into_iter().flatten() {
            if found.insert(*child) {
                queue.push(*child);
            }
        }
    }
    found.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn below_takes_the_whole_subtree_and_ends_on_a_cycle() {
        let [a, b, c, d] = [1, 2, 3, 4].map(Uuid::from_u128);
        let edges = [(a, None), (b, Some(a)), (c, Some(b)), (d, Some(a))];
        assert_eq!(below(b, &edges), [b, c]);
        assert_eq!(below(a, &edges), [a, b, c, d]);
        assert_eq!(below(a, &[(a, Some(b)), (b, Some(a))]), [a, b]);
        assert_eq!(below(Uuid::from_u128(9), &edges), [Uuid::from_u128(9)]);
    }
}
