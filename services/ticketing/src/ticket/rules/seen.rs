//! What a company sees of what happened to its request. One table with every verb of the history; what is not in it stays among units.

/// How much of an event the company sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// All of it: it is the company's own word, or a word to the company.
    Whole,
    /// That it happened, by whom and when; its words and facts are for units.
    Happening,
    /// Nothing: it is between units.
    Nothing,
}

/// Every verb of the history, in the order of the main course, then beside it, then what comes by itself.
const TABLE: [(&str, Seen); 46] = [
    ("submit", Seen::Whole),
    ("accept", Seen::Whole),
    ("refuse", Seen::Whole),
    ("dispatch", Seen::Happening),
    ("callUp", Seen::Happening),
    ("sign", Seen::Whole),
    ("return", Seen::Nothing),
    ("transfer", Seen::Nothing),
    ("contact", Seen::Happening),
    ("visit", Seen::Whole),
    ("checkIn", Seen::Happening),
    // What the lead unit says to the requester is the result of the request itself; other units report to the lead unit.
    ("reportDone", Seen::Happening),
    ("signOff", Seen::Happening),
    ("sendBack", Seen::Nothing),
    ("callBack", Seen::Happening),
    ("redo", Seen::Happening),
    ("rate", Seen::Whole),
    ("withdraw", Seen::Whole),
    // By the requester or by a supervisor: what a supervisor writes is for the unit.
    ("urge", Seen::Happening),
    ("answer", Seen::Whole),
    ("appeal", Seen::Whole),
    ("merge", Seen::Happening),
    ("absorb", Seen::Nothing),
    ("split", Seen::Happening),
    // More time and pauses show in the request itself: until when, and why its time stands still.
    ("ask", Seen::Nothing),
    ("decide", Seen::Nothing),
    ("resume", Seen::Happening),
    ("consent", Seen::Whole),
    ("supervise", Seen::Nothing),
    ("instruct", Seen::Nothing),
    ("consult", Seen::Happening),
    ("attend", Seen::Nothing),
    ("opine", Seen::Nothing),
    ("conclude", Seen::Happening),
    ("finishTask", Seen::Nothing),
    ("reopen", Seen::Whole),
    ("verifyRating", Seen::Nothing),
    ("appealRating", Seen::Nothing),
    ("decideRatingAppeal", Seen::Nothing),
    ("rectifyRating", Seen::Whole),
    ("followUpRating", Seen::Whole),
    ("warn", Seen::Nothing),
    ("breach", Seen::Nothing),
    ("fire", Seen::Nothing),
    ("reckon", Seen::Whole),
    ("closeRating", Seen::Happening),
];

/// How much of an event the company sees, by its verb alone.
pub fn seen(verb: &str) -> Seen {
    TABLE.iter().find(|(of, _)| *of == verb).map_or(Seen::Nothing, |(_, seen)| *seen)
}

/// What a live view tells a company of an event: its name, or only that the request changed. Events that no verb is said with are known to
/// everybody, but for what clocks have to say.
pub fn named_outside<'a>(event: &'a str, verb: Option<&str>) -> &'a str {
    let internal = verb.map_or(event.starts_with("clock."), |verb| seen(verb) == Seen::Nothing);
    if internal { "ticket.changed" } else { event }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{super::Machine, *};

    /// Verbs of the history that no state of the machine offers.
    const BY_ITSELF: [&str; 6] = ["submit", "absorb", "warn", "breach", "fire", "closeRating"];

    #[test]
    fn every_verb_is_in_the_table_once() {
        let machine = Machine::standard().expect("valid");
        let known: BTreeSet<&str> =
            machine.transitions.iter().map(|transition| transition.verb.as_str()).chain(BY_ITSELF).chain(["reckon"]).collect();
        assert_eq!(TABLE.iter().map(|(verb, _)| *verb).collect::<BTreeSet<_>>(), known);
        assert_eq!(TABLE.len(), known.len(), "none is there twice");
    }

    #[test]
    fn a_live_view_names_to_a_company_what_its_history_shows() {
        assert_eq!(named_outside("ticket.accepted", Some("accept")), "ticket.accepted");
        assert_eq!(named_outside("ticket.submitted", None), "ticket.submitted");
        assert_eq!(named_outside("clock.reckoned", Some("reckon")), "clock.reckoned");
        for (event, verb) in [("ticket.supervised", Some("supervise")), ("rating.appealed", Some("appealRating")), ("clock.warned", None)] {
            assert_eq!(named_outside(event, verb), "ticket.changed");
        }
    }

    #[test]
    fn a_company_sees_its_own_words_and_words_to_it_and_no_others() {
        let of = |wanted: Seen| {
            let found = TABLE.iter().filter(|(_, seen)| *seen == wanted).map(|(verb, _)| *verb);
            found.collect::<Vec<_>>().join(" ")
        };
        assert_eq!(
            of(Seen::Whole),
            "submit accept refuse sign visit rate withdraw answer appeal consent reopen rectifyRating followUpRating reckon"
        );
        assert_eq!(
            of(Seen::Happening),
            "dispatch callUp contact checkIn reportDone signOff callBack redo urge merge split resume consult conclude closeRating"
        );
        assert_eq!(
            of(Seen::Nothing),
            "return transfer sendBack absorb ask decide supervise instruct attend opine finishTask verifyRating appealRating \
             decideRatingAppeal warn breach fire"
        );
        assert_eq!(seen("something new"), Seen::Nothing, "what is not decided yet shows to nobody outside");
    }
}
