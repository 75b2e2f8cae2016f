use std::sync::LazyLock;

use jiff::{SignedDuration, civil::DateTime, tz::TimeZone};
use proptest::prelude::*;
use serde_json::Value;

use super::*;

static NATIONAL: LazyLock<Calendar> = LazyLock::new(Calendar::national);
static NIGHTS: LazyLock<Calendar> = LazyLock::new(|| {
    let layer = Layer {
        name: "hall".into(),
        week: Week {
            mon: Some(vec![]),
            sat: Some(texts(["09:00:30-12:00"])),
            sun: Some(texts(["22:00-24:00", "00:00-02:00"])),
            ..Week::default()
        },
        end_of_day: Some(EndOfDay::Midnight),
        ..Layer::default()
    };
    NATIONAL.with(&layer).unwrap()
});

fn texts<const N: usize>(texts: [&str; N]) -> Vec<String> {
    texts.map(str::to_owned).to_vec()
}

fn at(text: &str) -> Timestamp {
    text.parse::<DateTime>().unwrap().to_zoned(TimeZone::get("Asia/Shanghai").unwrap()).unwrap().timestamp()
}

fn d(text: &str) -> Date {
    text.parse().unwrap()
}

fn on(date: &str, day: DayRule) -> DayOverride {
    DayOverride { date: date.into(), day }
}

fn layer(days: Vec<DayOverride>) -> Layer {
    Layer { name: "unit".into(), days, ..Layer::default() }
}

fn days_of(year: i16) -> impl Iterator<Item = Date> {
    Date::new(year, 1, 1).unwrap().series(jiff::Span::new().days(1)).take_while(move |date| date.year() == year)
}

fn settled(at: Timestamp) -> Due {
    Due { at, provisional: false }
}

// ---- vectors ----

#[test]
fn five_hundred_independent_vectors() {
    let text = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/data/sla_vectors.json"));
    let vectors: Vec<Value> = serde_json::from_str(text).unwrap();
    assert_eq!(vectors.len(), 500);
    for vector in &vectors {
        let (start, due) = (vector["start"].as_str().unwrap(), vector["due"].as_str().unwrap());
        let n = u32::try_from(vector["n"].as_u64().unwrap()).unwrap();
        match vector["kind"].as_str().unwrap() {
            "work_minutes" => {
                let hours: Vec<_> = vector["hours"].as_str().unwrap().split(',').collect();
                let written: Vec<_> = NATIONAL.hours(d("2026-01-05")).iter().map(Interval::to_string).collect();
                assert_eq!(written, hours);
                assert_eq!(NATIONAL.due(at(start), Span::work_minutes(n)), settled(at(due)), "{vector}");
            }
            "work_days_excl_start" => {
                let found = NATIONAL.due(start_of(d(start)), Span::WorkDays(n));
                assert_eq!(found, settled(NATIONAL.end_of(d(due))), "{vector}");
                assert_eq!(today(found.at), d(due), "{vector}");
            }
            other => panic!("a kind nobody told us of: {other}"),
        }
    }
}

/// ticketing.md §3.4; the first is where a calendar without make-up days says 02-24.
#[test]
fn vectors_of_the_domain() {
    for (start, minutes, due) in [
        ("2026-02-13T17:30", 60, "2026-02-14T09:00"),
        ("2026-02-14T17:00", 120, "2026-02-24T09:30"),
        ("2026-09-19T10:00", 60, "2026-09-20T09:30"),
        ("2026-09-30T17:59", 2, "2026-10-08T08:31"),
        ("2026-01-03T23:00", 1, "2026-01-04T08:31"),
    ] {
        assert_eq!(NATIONAL.due(at(start), Span::work_minutes(minutes)), settled(at(due)), "{start}");
    }
    for (start, days, due) in [("2026-02-13", 5, "2026-02-27"), ("2026-09-30", 5, "2026-10-13"), ("2025-01-24", 3, "2025-02-05")] {
        assert_eq!(today(NATIONAL.due(start_of(d(start)), Span::WorkDays(days)).at), d(due), "{start}");
    }
}

#[test]
fn a_year_has_the_workdays_its_notice_says() {
    let text = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/data/cn_calendar.json"));
    let years: BTreeMap<i16, Value> = serde_json::from_str(text).unwrap();
    assert!(NATIONAL.covered_years().eq(2019..=2026));
    assert!(years.keys().copied().eq(2019..=2026));
    for (year, notice) in years {
        let workdays = days_of(year).filter(|date| NATIONAL.is_workday(*date)).count();
        assert_eq!(Some(workdays as u64), notice["workdays"].as_u64(), "{year}");
    }
}

// ---- days, layers ----

#[test]
fn a_day_is_over_at_close_or_at_midnight() {
    let start = at("2026-09-30T20:00");
    assert_eq!(NATIONAL.due(start, Span::WorkDays(1)), settled(at("2026-10-08T18:00")));
    assert_eq!(NATIONAL.due(start, Span::NaturalDays(1)), settled(at("2026-10-02T00:00")));
    assert_eq!(NATIONAL.due(start, Span::hours(24)), settled(at("2026-10-01T20:00")));
    let midnight = NATIONAL.with(&Layer { end_of_day: Some(EndOfDay::Midnight), ..layer(vec![]) }).unwrap();
    assert_eq!(midnight.due(start, Span::WorkDays(1)), settled(at("2026-10-09T00:00")));
    assert_eq!(midnight.due(start, Span::WorkDays(0)), settled(start));
    // 24:00 of the last covered day is not in the next year.
    assert_eq!(midnight.due(at("2026-12-30T10:00"), Span::WorkDays(1)), settled(at("2027-01-01T00:00")));
}

#[test]
fn later_layers_win_and_dates_beat_weekdays() {
    let tenant = Layer {
        name: "tenant".into(),
        week: Week::weekdays(["09:00-12:00", "14:00-17:30"]),
        days: vec![on("2026-06-01", DayRule::Off), on("2026-06-02", DayRule::Off)],
        ..Layer::default()
    };
    let unit = layer(vec![on("2026-06-01", DayRule::Hours(texts(["13:00-14:00:30"]))), on("2026-10-01", DayRule::Work)]);
    let tenant = NATIONAL.with(&tenant).unwrap();
    let both = tenant.with(&unit).unwrap();
    let written = |date| both.hours(d(date)).iter().map(Interval::to_string).collect::<Vec<_>>();
    assert_eq!(written("2026-06-01"), ["13:00-14:00:30"]);
    assert!(both.is_workday(d("2026-06-01")) && !tenant.is_workday(d("2026-06-01")));
    assert_eq!(written("2026-06-02"), [""; 0]);
    assert_eq!(written("2026-10-01"), ["09:00-12:00", "14:00-17:30"]);
    assert_eq!(written("2026-02-14"), ["09:00-12:00", "14:00-17:30"], "a make-up Saturday has the tenant's Monday");
    assert_eq!(written("2026-10-02"), [""; 0]);
    assert_eq!(both.due(at("2026-05-29T17:00"), Span::WorkDays(1)), settled(at("2026-06-01T14:00:30")));
    assert_eq!(NIGHTS.hours(d("2026-02-14")).len(), 2, "with Mondays closed a make-up day has Tuesday's hours");
}

#[test]
fn a_layer_survives_storage() {
    let text = r#"{"name":"鼓楼区","week":{"sat":["09:00-12:00"]},"end_of_day":"midnight","days":[{"date":"2026-06-01","day":"off"},
        {"date":"2026-06-06","day":"work"},{"date":"2026-02-13","day":{"hours":["08:30-12:00"]}}]}"#;
    let layer = Layer::from_json(text).unwrap();
    assert_eq!(Layer::from_json(&serde_json::to_string(&layer).unwrap()), Ok(layer.clone()));
    assert_eq!(NATIONAL.with(&layer).unwrap().end_of(d("2026-02-13")), at("2026-02-14T00:00"));
    assert!(matches!(Layer::from_json(r#"{"name":"x","weak":{}}"#), Err(CalendarError::Json { .. })));
}

#[test]
fn a_wrong_layer_is_refused_with_its_place() {
    let refusal = |layer: Layer| NATIONAL.with(&layer).unwrap_err().to_string();
    let hours = |text: &str| refusal(layer(vec![on("2026-06-01", DayRule::Hours(vec![text.into()]))]));
    assert_eq!(hours("12:00-12:00"), "layer unit, 2026-06-01: 12:00-12:00 is empty");
    assert_eq!(hours("12:00-11:00"), "layer unit, 2026-06-01: 12:00-11:00 is empty");
    assert_eq!(hours("23:00-24:01"), "layer unit, 2026-06-01: 23:00-24:01 leaves the day");
    for text in ["8:30-12:00", "08:60-12:00", "08:30", "08:30-12:00-13:00", "08:30:00:00-12:00", "+8:30-12:00"] {
        assert_eq!(hours(text), format!("layer unit, 2026-06-01: {text:?} is not HH:MM[:SS]-HH:MM[:SS]"));
    }
    let week = Week { tue: Some(texts(["10:00-12:00", "08:00-10:00:01"])), ..Week::default() };
    assert_eq!(refusal(Layer { week, ..layer(vec![]) }), "layer unit, tue: 08:00-10:00:01 and 10:00-12:00 overlap");
    let twice = vec![on("2026-06-01", DayRule::Off), on("2026-06-01", DayRule::Work)];
    assert_eq!(refusal(layer(twice)), "layer unit: 2026-06-01 is overridden twice");
    for text in ["2026-02-30", "20260214", "2026-02-14T10:00", ""] {
        assert_eq!(refusal(layer(vec![on(text, DayRule::Off)])), format!("layer unit: {text:?} is not a date"));
    }
    let empty = vec![on("2026-06-01", DayRule::Hours(vec![]))];
    assert!(matches!(NATIONAL.with(&layer(empty)), Err(CalendarError::NoHours { .. })));
    assert!(matches!(NATIONAL.with(&layer(vec![on("2036-01-01", DayRule::Off)])), Err(CalendarError::DateOutOfRange { .. })));
    assert!(matches!(NATIONAL.with(&Layer { covers: vec![2018], ..layer(vec![]) }), Err(CalendarError::YearOutOfRange { year: 2018, .. })));
    let closed = Layer { week: Week::weekdays([]), ..layer(vec![]) };
    assert!(matches!(NATIONAL.with(&closed), Err(CalendarError::NoWorkingWeek { .. })));
}

#[test]
fn loading_the_notice_settles_what_was_provisional() {
    let (start, span) = (at("2026-12-31T17:00"), Span::work_hours(2));
    assert_eq!(NATIONAL.due(start, Span::work_hours(1)), settled(at("2026-12-31T18:00")));
    assert_eq!(NATIONAL.due(start, span), Due { at: at("2027-01-01T09:30"), provisional: true });
    let notice = Layer { covers: vec![2027], ..layer(vec![on("2027-01-01", DayRule::Off)]) };
    assert_eq!(NATIONAL.with(&notice).unwrap().due(start, span), settled(at("2027-01-04T09:30")));
    assert!(!NATIONAL.due(start, Span::NaturalDays(30)).provisional, "no notice moves a natural day");
    assert!(NATIONAL.due(at("2040-01-02T08:30"), Span::work_hours(1)).provisional);
}

#[test]
fn working_days_of_party_rules() {
    let wd = |start, n| NATIONAL.nth_workday_counting_start(d(start), n);
    assert_eq!(wd("2026-02-13", 2), DueDate { date: d("2026-02-14"), provisional: false });
    assert_eq!(wd("2026-02-15", 1), DueDate { date: d("2026-02-24"), provisional: false });
    assert_eq!(wd("2026-12-30", 5), DueDate { date: d("2027-01-05"), provisional: true });
    assert_eq!(NATIONAL.next_workday(d("2026-02-14")), DueDate { date: d("2026-02-24"), provisional: false });
    assert!(NATIONAL.next_workday(d("2026-12-31")).provisional);
}

#[test]
fn far_dates_do_not_overflow() {
    for calendar in [&*NATIONAL, &*NIGHTS] {
        for start in [Timestamp::MIN, Timestamp::UNIX_EPOCH, Timestamp::MAX] {
            for n in [0, 1, u32::MAX] {
                for span in [Span::WorkSeconds(n), Span::WorkDays(n), Span::Natural(n), Span::NaturalDays(n)] {
                    assert!(calendar.due(start, span).at >= start, "{start} {span:?}");
                }
            }
        }
    }
    assert_eq!(add_months(d("2026-01-31"), i32::MAX), Date::MAX);
}

// ---- pauses ----

#[test]
fn a_paused_clock_stands_still() {
    let start = at("2026-03-02T09:00");
    let pauses = [
        (at("2026-03-02T11:00"), Some(at("2026-03-02T16:00"))),
        (at("2026-03-02T10:00"), Some(at("2026-03-02T11:30"))),
        (at("2026-03-02T16:00"), Some(at("2026-03-02T15:00"))),
    ];
    let due = |span| NATIONAL.due_with_pauses(start, &pauses, span);
    assert_eq!(due(Span::work_hours(1)), Some(settled(at("2026-03-02T10:00"))), "done as the pause begins");
    assert_eq!(due(Span::work_hours(2)), Some(settled(at("2026-03-02T17:00"))));
    assert_eq!(due(Span::hours(2)), Some(settled(at("2026-03-02T17:00"))));
    assert_eq!(NATIONAL.elapsed(start, &pauses, at("2026-03-02T17:00"), Unit::WorkSeconds), 7_200);
    let open = [(at("2026-03-02T10:00"), None), (at("2026-03-03T10:00"), Some(at("2026-03-03T11:00")))];
    assert_eq!(NATIONAL.due_with_pauses(start, &open, Span::work_hours(2)), None);
    assert_eq!(NATIONAL.due_with_pauses(start, &open, Span::work_hours(1)), Some(settled(at("2026-03-02T10:00"))));
    assert_eq!(NATIONAL.elapsed(start, &open, at("2026-03-09T10:00"), Unit::Natural), 3_600);
}

#[test]
fn a_pause_costs_a_day_when_it_holds_the_close() {
    let start = at("2026-03-02T09:00");
    let due = |from, to| NATIONAL.due_with_pauses(start, &[(at(from), Some(at(to)))], Span::WorkDays(2)).unwrap().at;
    assert_eq!(due("2026-03-03T10:00", "2026-03-03T11:00"), at("2026-03-04T18:00"));
    assert_eq!(due("2026-03-03T17:00", "2026-03-03T18:00"), at("2026-03-05T18:00"));
    assert_eq!(due("2026-03-03T18:00", "2026-03-04T08:30"), at("2026-03-04T18:00"));
    assert_eq!(due("2026-03-02T10:00", "2026-03-03T10:00"), at("2026-03-04T18:00"), "the start day is not counted");
    assert_eq!(due("2026-03-03T10:00", "2026-03-09T10:00"), at("2026-03-10T18:00"));
}

// ---- civil ----

#[test]
fn natural_periods_end() {
    for (month, end) in [(1, "2024-03-31"), (3, "2024-03-31"), (5, "2024-06-30"), (9, "2024-09-30"), (10, "2024-12-31")] {
        assert_eq!(quarter_end(Date::new(2024, month, 15).unwrap()), d(end));
    }
    assert_eq!(month_end(d("2024-02-01")), d("2024-02-29"));
    assert_eq!(year_end(d("2024-02-01")), d("2024-12-31"));
    assert_eq!(today(at("2026-01-01T00:00")), d("2026-01-01"));
    assert_eq!(today(at("2026-01-01T00:00") - SignedDuration::from_nanos(1)), d("2025-12-31"));
}

#[test]
fn months_are_added_to_the_anchor() {
    let anchor = d("2025-01-31");
    assert_eq!(add_months(anchor, 2), d("2025-03-31"));
    assert_eq!(add_months(add_months(anchor, 1), 1), d("2025-03-28"));
    assert_eq!(add_months(d("2024-02-29"), 12), d("2025-02-28"));
    assert_eq!(add_months(d("2025-03-31"), -1), d("2025-02-28"));
}

// ---- properties ----

/// From 2016 to 2040, so before, in and past the table; whole seconds.
fn instants() -> impl Strategy<Value = Timestamp> {
    (1_451_606_400_i64..2_208_988_800).prop_map(|second| Timestamp::from_second(second).unwrap())
}

fn calendars() -> impl Strategy<Value = &'static Calendar> {
    prop_oneof![Just(&*NATIONAL), Just(&*NIGHTS)]
}

fn units() -> impl Strategy<Value = fn(u32) -> Span> {
    prop_oneof![
        Just(Span::WorkSeconds as fn(u32) -> Span),
        Just(Span::WorkDays as fn(u32) -> Span),
        Just(Span::Natural as fn(u32) -> Span),
        Just(Span::NaturalDays as fn(u32) -> Span),
    ]
}

/// Short and long counts, so that thousands of days and single seconds both come up.
fn counts() -> impl Strategy<Value = u32> {
    prop_oneof![0_u32..50, 0_u32..3_000, 0_u32..20_000_000]
}

/// Spans that end before the last instant there is.
fn spans() -> impl Strategy<Value = Span> {
    prop_oneof![
        counts().prop_map(Span::WorkSeconds),
        counts().prop_map(Span::Natural),
        (0_u32..20_000).prop_map(Span::WorkDays),
        (0_u32..20_000).prop_map(Span::NaturalDays),
        (0_u32..20).prop_map(Span::WorkDays),
    ]
}

fn pauses_from(start: Timestamp) -> impl Strategy<Value = Vec<Pause>> {
    prop::collection::vec((0_i64..4_000_000, -1_000_i64..500_000), 0..8).prop_map(move |pairs| {
        let pause = |(from, long): (i64, i64)| {
            let from = start + SignedDuration::from_secs(from);
            (from, Some(from + SignedDuration::from_secs(long)))
        };
        pairs.into_iter().map(pause).collect()
    })
}

fn paused_clocks() -> impl Strategy<Value = (Timestamp, Vec<Pause>)> {
    instants().prop_flat_map(|start| (Just(start), pauses_from(start)))
}

proptest! {
    #[test]
    fn civil_conversions_are_the_tz_database(second in 757_382_400_i64..4_102_444_800, nanos in 0_i32..1_000_000_000) {
        let at = Timestamp::new(second, nanos).unwrap();
        let shanghai = at.to_zoned(TimeZone::get("Asia/Shanghai").unwrap());
        prop_assert_eq!(today(at), shanghai.date());
        prop_assert_eq!(start_of(today(at)), shanghai.start_of_day().unwrap().timestamp());
        prop_assert_eq!(date(day_number(today(at))), shanghai.date());
        prop_assert_eq!(weekday(day_number(today(at))), shanghai.date().weekday().to_monday_zero_offset() as usize);
    }

    #[test]
    fn sums_add_up_day_by_day_in_and_out_of_the_table(calendar in calendars(), day in 15_000_i64..28_000) {
        let seconds = hours::total(calendar.hours_of(day));
        prop_assert_eq!(calendar.seconds.before(day + 1) - calendar.seconds.before(day), seconds);
        prop_assert_eq!(calendar.workdays.before(day + 1) - calendar.workdays.before(day), seconds.min(1));
        if seconds > 0 {
            prop_assert_eq!(calendar.seconds.locate(calendar.seconds.before(day) + 1), (day, 1));
            prop_assert_eq!(calendar.seconds.locate(calendar.seconds.before(day + 1)), (day, seconds));
        }
    }

    #[test]
    fn due_is_monotone(
        calendar in calendars(), a in instants(), later in 0_i64..9_000_000, span in units(), n in counts(), more in counts(),
    ) {
        let b = a + SignedDuration::from_secs(later);
        let due = calendar.due(a, span(n)).at;
        prop_assert!(due >= a);
        prop_assert!(due <= calendar.due(b, span(n)).at, "in the start");
        prop_assert!(due <= calendar.due(a, span(n + more)).at, "in the span");
    }

    #[test]
    fn what_is_due_has_run(calendar in calendars(), start in instants(), span in spans()) {
        let due = calendar.due(start, span).at;
        prop_assert_eq!(calendar.elapsed(start, &[], due, span.unit()), u64::from(span.count()));
        if let Span::WorkSeconds(n) = span {
            prop_assert_eq!(calendar.working_seconds_between(start, due), u64::from(n));
            let before = due - SignedDuration::from_secs(1);
            prop_assert!(n == 0 || calendar.working_seconds_between(start, before) == u64::from(n) - 1, "and not a second late");
        }
    }

    #[test]
    fn pauses_are_a_union(
        calendar in calendars(), (start, pauses) in paused_clocks(), span in spans(), seed in 0_usize..8,
    ) {
        let until = start + SignedDuration::from_hours(2_000);
        let unit = span.unit();
        let mut other = pauses.clone();
        other.rotate_left(seed.min(pauses.len()));
        other.extend(pauses.iter().take(seed).copied());
        prop_assert_eq!(calendar.elapsed(start, &pauses, until, unit), calendar.elapsed(start, &other, until, unit));
        prop_assert_eq!(calendar.due_with_pauses(start, &pauses, span), calendar.due_with_pauses(start, &other, span));
        let merged = span::union(&pauses);
        prop_assert!(merged.windows(2).all(|pair| pair[0].1.unwrap() < pair[1].0), "apart and in order");
    }

    #[test]
    fn a_paused_clock_has_run_its_span_when_due(
        calendar in calendars(), (start, pauses) in paused_clocks(), span in spans(),
    ) {
        let due = calendar.due_with_pauses(start, &pauses, span).unwrap();
        prop_assert!(due.at >= calendar.due(start, span).at, "a pause never hastens");
        prop_assert_eq!(calendar.elapsed(start, &pauses, due.at, span.unit()), u64::from(span.count()));
        prop_assert_eq!(calendar.due_with_pauses(start, &[], span), Some(calendar.due(start, span)));
    }

    #[test]
    fn provisional_is_crossing_an_uncovered_year(start in instants(), days in any::<bool>(), n in counts()) {
        let span = if days { Span::WorkDays(n % 3_000) } else { Span::WorkSeconds(n) };
        let due = NATIONAL.due(start, span);
        let crosses = (today(start).year()..=today(due.at).year()).any(|year| !(2019..=2026).contains(&year));
        prop_assert_eq!(due.provisional, crosses);
    }

    #[test]
    fn nth_workday_is_the_walk(start in 15_000_i64..28_000, n in 1_u32..40) {
        let walked = (start..).filter(|day| NATIONAL.is_workday(date(*day))).nth(n as usize - 1).unwrap();
        prop_assert_eq!(NATIONAL.nth_workday_counting_start(date(start), n).date, date(walked));
        prop_assert_eq!(NATIONAL.next_workday(date(start)).date, NATIONAL.nth_workday_counting_start(date(start + 1), 1).date);
    }

    #[test]
    fn months_are_never_chained(day in 0_i64..40_000, n in -600_i32..600) {
        let anchor = date(day);
        let found = add_months(anchor, n);
        let month = i32::from(anchor.year()) * 12 + i32::from(anchor.month()) - 1 + n;
        prop_assert_eq!(i32::from(found.year()) * 12 + i32::from(found.month()) - 1, month);
        prop_assert_eq!(found.day(), anchor.day().min(found.days_in_month()));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn intervals_are_accepted_iff_apart(mut pairs in prop::collection::vec((0_u32..86_400, 1_u32..20_000), 1..6)) {
        pairs.iter_mut().for_each(|(from, to)| *to = (*from + *to).min(86_400));
        let apart = |a: &(u32, u32), b: &(u32, u32)| a.1 <= b.0 || b.1 <= a.0;
        let fine = (0..pairs.len()).all(|i| (0..i).all(|j| apart(&pairs[i], &pairs[j])));
        let texts: Vec<_> = pairs.iter().map(|&(from, to)| Interval { from, to }.to_string()).collect();
        match NATIONAL.with(&layer(vec![on("2026-06-01", DayRule::Hours(texts))])) {
            Ok(calendar) => {
                prop_assert!(fine);
                let seconds = pairs.iter().map(|(from, to)| u64::from(to - from)).sum::<u64>();
                let day = (start_of(d("2026-06-01")), start_of(d("2026-06-02")));
                prop_assert_eq!(calendar.working_seconds_between(day.0, day.1), seconds);
            }
            Err(error) => {
                let overlap = matches!(error, CalendarError::Overlap { .. });
                prop_assert!(!fine && overlap, "{}", error);
            }
        }
    }
}
