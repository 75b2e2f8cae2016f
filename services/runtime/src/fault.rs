//! The one error type that leaves a room, and the one place that turns it into a gRPC status.

use std::collections::HashMap;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt as _};

use crate::refusal::{Kind, Refusal};

/// Why a call did not do what was asked.
#[derive(Debug)]
pub enum Fault {
    /// A rule, the contract or the state of things said no.
    Refused(Refusal),
    /// Another service answered with a status; passed on if it is the caller's affair.
    Peer(Box<Status>),
    /// The idempotency key of this call was committed by another attempt; the guard answers with what that one answered.
    Repeated,
    /// Something that should not happen. Logged where handled, shown as INTERNAL with the request id only.
    Broken(Box<dyn std::error::Error + Send + Sync>),
}

impl Fault {
    /// Something that should not happen, in words.
    pub fn broken(what: impl Into<String>) -> Self {
        Self::Broken(what.into().into())
    }
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Status> for Fault {
    fn from(status: Status) -> Self {
        Self::Peer(Box::new(status))
    }
}

impl From<sqlx::Error> for Fault {
    /// Conflicts are recognised by SQLSTATE, never by the constraint's name (absent on a sharded cluster).
    fn from(error: sqlx::Error) -> Self {
        let state = error.as_database_error().and_then(|error| error.code()).map(|code| code.into_owned());
        let refusal = match (state.as_deref(), &error) {
            (Some("23505" | "23P01"), _) => {
                Refusal::new(Kind::Exists, "ALREADY_EXISTS", "记录已存在或时间重叠", "exists already, or overlaps")
            }
            (Some("23503"), _) => Refusal::state("REFERENCE_MISSING", "引用的记录不存在", "a record referred to does not exist"),
            (Some("23514" | "22001" | "22003" | "22007" | "22008" | "22021" | "22P05"), _) => {
                Refusal::new(Kind::Invalid, "VALUE_REFUSED", "数值不符合要求", "a value is out of bounds")
            }
            (Some("40001" | "40P01" | "55P03"), _) => {
                Refusal::new(Kind::Stale, "CONCURRENT_CHANGE", "并发冲突，请重试", "lost against a concurrent change; try again")
            }
            (Some("57014"), _) => Refusal::new(Kind::Deadline, "DEADLINE", "处理超时", "took too long"),
            (Some("57P01" | "57P02" | "57P03" | "53300"), _) | (None, sqlx::Error::PoolTimedOut | sqlx::Error::Io(_)) => unavailable(),
            _ => return Self::Broken(Box::new(error)),
        };
        Self::Refused(refusal)
    }
}

/// The store cannot be reached, or the outcome of a commit is unknown: the same key may be sent again.
pub fn unavailable() -> Refusal {
    Refusal::new(
        Kind::Unavailable,
        "UNAVAILABLE",
        "服务暂时不可用，请用同一幂等键重试",
        "temporarily unavailable, or the outcome is unknown; retry with the same idempotency key",
    )
}

impl From<Fault> for Status {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Refused(refusal) => status(&refusal),
            Fault::Peer(status) => passed_on(*status),
            Fault::Repeated => {
                let mut status = Status::aborted("repeated");
                status.metadata_mut().insert(REPEATED, tonic::metadata::MetadataValue::from_static("1"));
                status
            }
            Fault::Broken(error) => {
                tracing::error!(error = %error, "unexpected fault");
                status(&Refusal::new(
                    Kind::Unavailable,
                    "INTERNAL",
                    "内部错误，请提供请求编号联系管理员",
                    "internal error; quote the request id",
                ))
                .with_code(Code::Internal)
            }
        }
    }
}

/// Marks a status that the guard replaces by the first attempt's answer.
pub(crate) const REPEATED: &str = "drumtower-repeated";

trait WithCode {
    fn with_code(self, code: Code) -> Self;
}

impl WithCode for Status {
    fn with_code(self, code: Code) -> Self {
        Status::with_details_and_metadata(code, self.message().to_owned(), self.details().to_vec().into(), self.metadata().clone())
    }
}

/// A refusal as a status with ErrorInfo, BadRequest and LocalizedMessage (AIP-193): the message is English, the localized one Chinese.
pub fn status(refusal: &Refusal) -> Status {
    let mut facts: HashMap<String, String> = HashMap::new();
    for (name, value) in refusal.facts() {
        facts.insert((*name).to_owned(), value.clone());
    }
    let mut details = ErrorDetails::with_error_info(refusal.reason(), "drumtower", facts);
    if !refusal.fields().is_empty() {
        let fields: Vec<FieldViolation> =
            refusal.fields().iter().map(|(field, description)| FieldViolation::new(field.clone(), description.clone())).collect();
        details.set_bad_request(fields);
    }
    details.set_localized_message("zh-CN", refusal.zh());
    Status::with_error_details(code(refusal.kind()), refusal.en(), details)
}

fn code(kind: Kind) -> Code {
    match kind {
        Kind::Invalid => Code::InvalidArgument,
        Kind::Unauthenticated => Code::Unauthenticated,
        Kind::Denied => Code::PermissionDenied,
        Kind::NotFound => Code::NotFound,
        Kind::Exists => Code::AlreadyExists,
        Kind::State => Code::FailedPrecondition,
        Kind::Stale => Code::Aborted,
        Kind::Exhausted => Code::ResourceExhausted,
        Kind::Unavailable => Code::Unavailable,
        Kind::Deadline => Code::DeadlineExceeded,
        Kind::Unimplemented => Code::Unimplemented,
    }
}

/// What a peer refused because of the caller's own request is the caller's affair; what went wrong between services is not.
fn passed_on(peer: Status) -> Status {
    match peer.code() {
        Code::InvalidArgument
        | Code::NotFound
        | Code::FailedPrecondition
        | Code::AlreadyExists
        | Code::Aborted
        | Code::ResourceExhausted => Status::with_details(peer.code(), peer.message().to_owned(), peer.details().to_vec().into()),
        Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled => status(&unavailable()),
        _ => Fault::broken(format!("peer answered {peer}")).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_why_where_and_in_both_languages() {
        let refusal = Refusal::invalid("title", "TOO_LONG", "标题过长", "the title is too long").fact("max", "100");
        let status = status(&refusal);
        assert_eq!(status.code(), Code::InvalidArgument);
        assert_eq!(status.message(), "the title is too long");
        let details = status.get_error_details();
        assert_eq!(details.error_info().map(|info| info.reason.as_str()), Some("TOO_LONG"));
        assert_eq!(details.bad_request().map(|bad| bad.field_violations[0].field.as_str()), Some("title"));
        assert_eq!(details.localized_message().map(|text| text.message.as_str()), Some("标题过长"));
    }

    #[test]
    fn what_goes_wrong_between_services_shows_nothing() {
        let status: Status = Fault::Peer(Box::new(Status::internal("secret of a peer"))).into();
        assert_eq!(status.code(), Code::Internal);
        assert!(!status.message().contains("secret"));
    }
}
