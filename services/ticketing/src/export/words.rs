//! What a file calls things, for people, Chinese and English.

use drumtower_proto::ticketing::ticket::{Kind, Result, Source, State, Urgency};

/// A word in both languages.
type Word = (&'static str, &'static str);

/// The word of a language.
pub fn of((zh, en): Word, english: bool) -> &'static str {
    if english { en } else { zh }
}

/// The columns, in order.
pub const COLUMNS: [Word; 18] = [
    ("编号", "Number"),
    ("状态", "State"),
    ("类型", "Kind"),
    ("紧急程度", "Urgency"),
    ("标题", "Title"),
    ("诉求内容", "Description"),
    ("企业", "Company"),
    ("地点", "Place"),
    ("主办单位", "Lead unit"),
    ("来源", "Source"),
    ("联系人", "Contact"),
    ("联系电话", "Phone"),
    ("提交时间", "Submitted"),
    ("办结时限", "Due"),
    ("办理结果", "Result"),
    ("结果说明", "Words of the result"),
    ("评价", "Rating"),
    ("督办", "Supervision"),
];

pub fn state(state: State) -> Word {
    match state {
        State::Unspecified => ("", ""),
        State::Submitted => ("待受理", "To accept"),
        State::Accepted => ("待派单", "To dispatch"),
        State::Dispatched => ("待签收", "To sign"),
        State::Handling => ("办理中", "In hand"),
        State::OnSite => ("现场处置", "On site"),
        State::Consulting => ("会商中", "Consulting"),
        State::Review => ("待审核", "To sign off"),
        State::Callback => ("待回访", "To call back"),
        State::Redo => ("重办", "Redo"),
        State::Archived => ("已归档", "Archived"),
        State::Refused => ("不予受理", "Refused"),
        State::Withdrawn => ("已撤回", "Withdrawn"),
        State::Merged => ("已并单", "Merged"),
        State::Ledger => ("挂账", "On the ledger"),
    }
}

pub fn kind(kind: Kind) -> Word {
    match kind {
        Kind::Unspecified => ("", ""),
        Kind::Consult => ("咨询", "Question"),
        Kind::Help => ("求助", "Help"),
        Kind::Complaint => ("投诉", "Complaint"),
        Kind::Suggestion => ("建议", "Suggestion"),
    }
}

pub fn urgency(urgency: Urgency) -> Word {
    match urgency {
        Urgency::Unspecified => ("", ""),
        Urgency::Emergency => ("紧急", "Emergency"),
        Urgency::Livelihood => ("民生", "Livelihood"),
        Urgency::Normal => ("一般", "Normal"),
        Urgency::Hard => ("疑难", "Hard"),
    }
}

pub fn result(result: Result) -> Word {
    match result {
        Result::Unspecified => ("", ""),
        Result::Resolved => ("已解决", "Resolved"),
        Result::Partly => ("部分解决", "Partly resolved"),
        Result::Policy => ("政策不允许(已解释)", "Not allowed by policy (explained)"),
        Result::Unreasonable => ("诉求不合理", "Unreasonable"),
        Result::Unreachable => ("无法联系", "Unreachable"),
    }
}

pub fn source(source: Source) -> Word {
    match source {
        Source::Unspecified => ("", ""),
        Source::Web => ("网页、手机", "Web"),
        Source::Phone => ("电话", "Phone"),
        Source::Window => ("窗口", "Window"),
        Source::Proxy => ("代办", "Proxy"),
        Source::Wechat => ("微信", "WeChat"),
        Source::Hotline => ("12345 热线", "Hotline"),
        Source::Vision => ("视频感知", "Camera"),
        Source::Open311 => ("Open311", "Open311"),
        Source::ServiceDay => ("企业服务日", "Service day"),
        Source::DirectLine => ("直通车", "Direct line"),
    }
}

pub fn supervision(level: i32) -> Word {
    match level {
        1 => ("黄牌预警", "Yellow"),
        2 => ("红牌预警", "Red"),
        3 => ("督办", "Under order"),
        4 => ("通报", "Named publicly"),
        _ => ("", ""),
    }
}
