//! What may be attached, by whom and how large; what the next piece of an upload may be; what bytes are, by their content; who may see an
//! attachment and when it may go.

use drumtower_proto::ticketing::attachment;
use drumtower_runtime::{Kind as Refused, Reach, Refusal};
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

pub use attachment::{Kind, State, Visibility};

use crate::ticket::{query, rules as request};

const MIB: i64 = 1024 * 1024;
/// Largest piece: with it a request stays below what the door and the guard take.
pub const PIECE_MOST: i64 = 4 * MIB;
/// Smallest piece but the last: else a large file could come as millions of objects.
pub const PIECE_LEAST: i64 = 64 * 1024;
/// Attachments of one request from units, and as many from everybody else: neither side keeps the other from showing something (our
/// decision: ten photos a visit, two visits).
const MOST_OF_SIDE: i64 = 20;
/// Attachments of one person that belong to no request yet (our decision: as many as a submission may carry).
const MOST_LOOSE: i64 = 20;
/// How long an upload that is not over, or that no request was submitted with, is kept.
pub const KEPT_LOOSE: SignedDuration = SignedDuration::from_hours(24);
/// How long a link is good.
pub const LINK_GOOD: SignedDuration = SignedDuration::from_mins(5);

/// Largest of a kind, bytes (our decision: a photo of a current phone is 3 to 12 MiB, a scan of fifty pages or an hour of speech 50).
fn largest(kind: Kind) -> i64 {
    match kind {
        Kind::Photo => 20 * MIB,
        Kind::Document | Kind::Audio => 50 * MIB,
        Kind::Unspecified => 0,
    }
}

/// An attachment as the row keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    pub id: Uuid,
    pub ticket: Option<Uuid>,
    pub name: String,
    pub kind: Kind,
    pub state: State,
    pub visibility: Visibility,
    pub content_type: String,
    pub size: i64,
    pub stored: i64,
    pub announced_sha256: String,
    pub sha256: String,
    pub scanned: bool,
    pub thumbnail: bool,
    pub reason: String,
    pub uploader: Uuid,
    pub unit: Option<Uuid>,
    pub used: bool,
    pub created_at: Timestamp,
}

/// Whether a name and a size of a kind are taken.
pub fn announce(kind: Kind, name: &str, size: i64) -> Result<(), Refusal> {
    if name.trim().is_empty() || name.chars().any(|letter| letter.is_control() || matches!(letter, '/' | '\\')) {
        return Err(Refusal::invalid("name", "BAD_NAME", "文件名不能含路径或控制字符", "is a file's name, without folders"));
    }
    let most = largest(kind);
    if size > most {
        let (zh, en) = (format!("文件过大，最大 {} MiB", most / MIB), format!("at most {} MiB", most / MIB));
        return Err(Refusal::invalid("size_bytes", "TOO_LARGE", zh, en).fact("most", most.to_string()));
    }
    Ok(())
}

/// Whether one more fits a request, which `there` are of already from the same side, seen by whom is wanted.
pub fn add(ticket: &request::Ticket, reach: &Reach, visibility: Visibility, there: i64) -> Result<(), Refusal> {
    if matches!(ticket.state, request::State::Withdrawn | request::State::Merged) {
        return Err(Refusal::state("TICKET_OVER", "诉求已撤回或并单", "the request was withdrawn or merged"));
    }
    if visibility == Visibility::Internal && !query::is_inside(reach, ticket) {
        return Err(Refusal::invalid("visibility", "NOT_INSIDE", "仅承办单位可设为仅内部", "only units keep something among themselves"));
    }
    few(there, MOST_OF_SIDE)
}

/// Whether a person may keep one more that belongs to no request yet.
pub fn add_loose(visibility: Visibility, there: i64) -> Result<(), Refusal> {
    if visibility == Visibility::Internal {
        return Err(Refusal::invalid(
            "visibility",
            "NOT_INSIDE",
            "随诉求提交的附件企业可见",
            "what is submitted with a request its company sees",
        ));
    }
    few(there, MOST_LOOSE)
}

fn few(there: i64, most: i64) -> Result<(), Refusal> {
    if there < most {
        return Ok(());
    }
    let (zh, en) = (format!("附件最多 {most} 个"), format!("at most {most} attachments"));
    Err(Refusal::state("TOO_MANY", zh, en).fact("most", most.to_string()))
}

/// The district's quota is used up.
pub fn quota_full(quota: i64) -> Refusal {
    let (zh, en) = ("本区附件空间已满，请联系管理员", "this district's space for attachments is used up");
    Refusal::new(Refused::Exhausted, "QUOTA_FULL", zh, en).fact("quota_bytes", quota.to_string())
}

/// The unit that somebody attaches something for: the lead unit if they stand for it, else another of the request's.
pub fn unit_of(reach: &Reach, ticket: &request::Ticket) -> Option<Uuid> {
    let mut own = ticket.assignments.iter().map(|part| part.unit).filter(|unit| reach.nodes.contains(unit));
    ticket.lead.filter(|lead| reach.nodes.contains(lead)).or_else(|| own.next())
}

/// Whether an attachment shows to somebody who reads its request. What is not ready is its uploader's affair.
pub fn shows(attachment: &Attachment, user: Uuid, reach: &Reach, ticket: &request::Ticket) -> bool {
    let meant = attachment.visibility != Visibility::Internal || query::is_inside(reach, ticket);
    meant && (attachment.state == State::Ready || attachment.uploader == user)
}

/// Whether somebody may read an attachment: its request too, or it is their own that belongs to none. Else it is as if it were not there.
pub fn read(attachment: &Attachment, user: Uuid, reach: &Reach, ticket: Option<&request::Ticket>) -> Result<(), Refusal> {
    let may = match ticket {
        Some(ticket) => query::reaches(reach, ticket).is_ok() && shows(attachment, user, reach, ticket),
        None => attachment.uploader == user,
    };
    if may { Ok(()) } else { Err(Refusal::not_found("attachment")) }
}

fn own(attachment: &Attachment, user: Uuid) -> Result<(), Refusal> {
    match attachment.ticket {
        _ if attachment.uploader == user => Ok(()),
        None => Err(Refusal::not_found("attachment")),
        Some(_) => Err(Refusal::state("NOT_THE_UPLOADER", "仅上传人可操作", "only who sent it may do that")),
    }
}

/// What to do with a piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece {
    /// It is the next one.
    Take,
    /// It is there already.
    There,
}

/// What to do with a piece of some length at an offset.
pub fn append(attachment: &Attachment, user: Uuid, offset: i64, length: i64) -> Result<Piece, Refusal> {
    own(attachment, user)?;
    let invalid = |field: &'static str, reason, zh: &str, en: &str| Err(Refusal::invalid(field, reason, zh, en));
    let end = offset.saturating_add(length);
    if attachment.state != State::Uploading {
        return Err(Refusal::state("NOT_UPLOADING", "上传已结束", "this upload is over").fact("state", attachment.state.as_str_name()));
    }
    if length == 0 {
        return invalid("content", "EMPTY_PIECE", "分片为空", "is empty");
    }
    if length > PIECE_MOST {
        return invalid("content", "PIECE_TOO_LARGE", "分片最大 4 MiB", "a piece is at most 4 MiB");
    }
    if end > attachment.size {
        return invalid("content", "MORE_THAN_ANNOUNCED", "超出声明的文件大小", "is more than was announced");
    }
    if end <= attachment.stored {
        return Ok(Piece::There);
    }
    if offset != attachment.stored {
        let (zh, en) = ("分片位置不正确，请从断点继续", "go on where the upload broke off");
        return Err(Refusal::state("WRONG_OFFSET", zh, en).fact("offset", attachment.stored.to_string()));
    }
    if length < PIECE_LEAST && end != attachment.size {
        return invalid("content", "PIECE_TOO_SMALL", "分片至少 64 KiB（最后一片除外）", "a piece but the last is at least 64 KiB");
    }
    Ok(Piece::Take)
}

/// Whether an upload ends now; `false` when it did before.
pub fn finish(attachment: &Attachment, user: Uuid) -> Result<bool, Refusal> {
    own(attachment, user)?;
    match attachment.state {
        State::Uploading if attachment.stored == attachment.size => Ok(true),
        State::Uploading => {
            let (zh, en) = ("文件尚未传完", "not everything has come yet");
            Err(Refusal::state("INCOMPLETE", zh, en).fact("offset", attachment.stored.to_string()))
        }
        _ => accepted(attachment).map(|()| false),
    }
}

/// What was rejected says why, whenever it is asked again.
pub fn accepted(attachment: &Attachment) -> Result<(), Refusal> {
    match Rejection::read(&attachment.reason) {
        Some(rejection) if attachment.state == State::Rejected => Err(rejection.refusal()),
        _ => Ok(()),
    }
}

/// Whether somebody may take an attachment back.
pub fn delete(attachment: &Attachment, user: Uuid) -> Result<(), Refusal> {
    own(attachment, user)?;
    if attachment.used {
        return Err(Refusal::state("IN_USE", "已被引用，不能删除", "something rests on it: it stays"));
    }
    Ok(())
}

fn ready(attachment: &Attachment) -> Result<(), Refusal> {
    if attachment.state == State::Ready {
        return Ok(());
    }
    let state = attachment.state.as_str_name();
    Err(Refusal::state("NOT_READY", "附件尚不可用", "this attachment is not ready").fact("state", state))
}

/// Whether a link may be made.
pub fn link(attachment: &Attachment, thumbnail: bool) -> Result<(), Refusal> {
    ready(attachment)?;
    if thumbnail && !attachment.thumbnail {
        return Err(Refusal::state("NO_THUMBNAIL", "没有缩略图", "there is no small picture of it"));
    }
    Ok(())
}

/// Whether an attachment may go into a request that is being submitted.
pub fn claim(attachment: &Attachment, user: Uuid) -> Result<(), Refusal> {
    if attachment.ticket.is_some() {
        return Err(Refusal::state("OF_ANOTHER_TICKET", "附件已属于其他诉求", "belongs to another request"));
    }
    own(attachment, user)?;
    ready(attachment)
}

/// Whether something done to a request may rest on an attachment: the person's own, of this request, ready, and used for nothing before.
pub fn rest_on(attachment: &Attachment, ticket: Uuid, user: Uuid, photo: bool) -> Result<(), Refusal> {
    if attachment.ticket.is_some_and(|other| other != ticket) {
        return Err(Refusal::state("OF_ANOTHER_TICKET", "附件不属于本诉求", "belongs to another request"));
    }
    own(attachment, user)?;
    ready(attachment)?;
    if attachment.ticket.is_none() {
        return Err(Refusal::state("OF_NO_TICKET", "附件未关联本诉求", "was not sent for this request"));
    }
    if attachment.used {
        return Err(Refusal::state("IN_USE", "附件已用于其他操作", "was used for something else"));
    }
    if photo && attachment.kind != Kind::Photo {
        return Err(Rejection::NotAPhoto.refusal());
    }
    Ok(())
}

/// What is to be done with an attachment whose time has come, unless it waits to be looked at: that it does as long as it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Nobody wants it: it stops being there, and its objects go a while later, when no piece can be on its way any more.
    Abandon,
    /// What came in pieces is not needed any more.
    Clear,
}

pub fn step(state: State, loose: bool, created_at: Timestamp, now: Timestamp) -> Step {
    let old = now >= created_at + KEPT_LOOSE;
    match state {
        State::Ready if !(loose && old) => Step::Clear,
        State::Rejected if !old => Step::Clear,
        _ => Step::Abandon,
    }
}

/// Why bytes are not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rejection {
    NotAPhoto,
    TypeRefused,
    HashMismatch,
    TooManyPixels,
    Unreadable,
    Infected,
}

impl Rejection {
    const ALL: [Self; 6] = [Self::NotAPhoto, Self::TypeRefused, Self::HashMismatch, Self::TooManyPixels, Self::Unreadable, Self::Infected];

    /// The stable reason.
    pub fn text(self) -> &'static str {
        match self {
            Self::NotAPhoto => "NOT_A_PHOTO",
            Self::TypeRefused => "TYPE_REFUSED",
            Self::HashMismatch => "HASH_MISMATCH",
            Self::TooManyPixels => "TOO_MANY_PIXELS",
            Self::Unreadable => "UNREADABLE",
            Self::Infected => "INFECTED",
        }
    }

    fn read(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|rejection| rejection.text() == text)
    }

    pub fn refusal(self) -> Refusal {
        let (zh, en) = match self {
            Self::NotAPhoto => ("不是照片，请使用 JPEG、PNG 或 WebP", "is no photo: send JPEG, PNG or WebP"),
            Self::TypeRefused => ("文件内容与所选类型不符或不支持", "its content is not of the kind that was said, or not taken"),
            Self::HashMismatch => ("文件校验值不一致，请重新上传", "what came is not what was announced; send it again"),
            Self::TooManyPixels => ("图片尺寸过大", "has too many pixels"),
            Self::Unreadable => ("文件已损坏，无法读取", "is damaged and cannot be read"),
            Self::Infected => ("文件含有病毒，已删除", "a scanner found something in it; it was deleted"),
        };
        Refusal::state(self.text(), zh, en)
    }
}

/// The media type of bytes that are what they are said to be. Names are not looked at.
pub fn recognise(kind: Kind, bytes: &[u8]) -> Result<&'static str, Rejection> {
    match sniff(bytes) {
        Some((found, media)) if found == kind => Ok(media),
        _ if kind == Kind::Photo => Err(Rejection::NotAPhoto),
        _ => Err(Rejection::TypeRefused),
    }
}

/// What bytes are, by how they begin (the signatures of each format's own specification).
fn sniff(bytes: &[u8]) -> Option<(Kind, &'static str)> {
    let at = |offset: usize, mark: &[u8]| bytes.get(offset..).is_some_and(|rest| rest.starts_with(mark));
    let audio = |media| Some((Kind::Audio, media));
    match bytes {
        _ if at(0, &[0xff, 0xd8, 0xff]) => Some((Kind::Photo, "image/jpeg")),
        _ if at(0, b"\x89PNG\r\n\x1a\n") => Some((Kind::Photo, "image/png")),
        _ if at(0, b"RIFF") && at(8, b"WEBP") => Some((Kind::Photo, "image/webp")),
        _ if at(0, b"%PDF-") => Some((Kind::Document, "application/pdf")),
        _ if at(0, b"RIFF") && at(8, b"WAVE") => audio("audio/wav"),
        _ if at(0, b"OggS") => audio("audio/ogg"),
        _ if at(0, b"#!AMR") => audio("audio/amr"),
        _ if at(0, b"ID3") => audio("audio/mpeg"),
        _ if at(4, b"ftypM4A ") || at(4, b"ftypM4B ") => audio("audio/mp4"),
        // Frames begin with eleven set bits; layer bits 00 are AAC in ADTS, 01 MPEG layer III; 1111 is no bit rate.
        [0xff, second, third, ..] if second & 0xf6 == 0xf0 && third >> 2 & 0x0f < 13 => audio("audio/aac"),
        [0xff, second, third, ..] if second & 0xe6 == 0xe2 && third & 0xf0 != 0xf0 => audio("audio/mpeg"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHO: Uuid = Uuid::from_u128(1);

    fn attachment(size: i64, stored: i64) -> Attachment {
        Attachment {
            id: Uuid::from_u128(9),
            ticket: Some(Uuid::from_u128(5)),
            name: "a.jpg".into(),
            kind: Kind::Photo,
            state: State::Uploading,
            visibility: Visibility::Enterprise,
            content_type: String::new(),
            size,
            stored,
            announced_sha256: String::new(),
            sha256: String::new(),
            scanned: false,
            thumbnail: false,
            reason: String::new(),
            uploader: WHO,
            unit: None,
            used: false,
            created_at: Timestamp::UNIX_EPOCH,
        }
    }

    fn reason<T: std::fmt::Debug>(answer: Result<T, Refusal>) -> &'static str {
        answer.expect_err("refused").reason()
    }

    #[test]
    fn a_size_is_refused_before_a_byte_is_sent() {
        announce(Kind::Photo, "现场.jpg", 20 * MIB).expect("taken");
        assert_eq!(reason(announce(Kind::Photo, "a.jpg", 20 * MIB + 1)), "TOO_LARGE");
        assert_eq!(reason(announce(Kind::Document, "a.pdf", 2048 * MIB)), "TOO_LARGE");
        for bad in ["../a.jpg", "a\\b", "a\nb", " "] {
            assert_eq!(reason(announce(Kind::Photo, bad, 1)), "BAD_NAME", "{bad:?}");
        }
    }

    #[test]
    fn pieces_come_in_order_and_may_come_again() {
        let (size, half) = (10 * MIB, 4 * MIB);
        assert_eq!(append(&attachment(size, 0), WHO, 0, half), Ok(Piece::Take));
        assert_eq!(append(&attachment(size, half), WHO, 0, half), Ok(Piece::There));
        assert_eq!(append(&attachment(size, half), WHO, half, half), Ok(Piece::Take));
        assert_eq!(append(&attachment(size, 2 * half), WHO, 2 * half, 2 * MIB), Ok(Piece::Take));
        let wrong = append(&attachment(size, half), WHO, half - 1, half).expect_err("refused");
        assert_eq!((wrong.reason(), wrong.facts()["offset"].as_str()), ("WRONG_OFFSET", "4194304"));
        assert_eq!(reason(append(&attachment(size, half), WHO, half + 1, half)), "WRONG_OFFSET");
        assert_eq!(reason(append(&attachment(size, 0), WHO, 0, half + 1)), "PIECE_TOO_LARGE");
        assert_eq!(reason(append(&attachment(size, 0), WHO, 0, PIECE_LEAST - 1)), "PIECE_TOO_SMALL");
        assert_eq!(append(&attachment(10, 0), WHO, 0, 10), Ok(Piece::Take), "the last may be small");
        assert_eq!(reason(append(&attachment(10, 0), WHO, 0, 11)), "MORE_THAN_ANNOUNCED");
        assert_eq!(reason(append(&attachment(10, 0), WHO, i64::MAX, 11)), "MORE_THAN_ANNOUNCED");
        assert_eq!(reason(append(&attachment(10, 0), WHO, 0, 0)), "EMPTY_PIECE");
        assert_eq!(reason(append(&attachment(10, 0), Uuid::nil(), 0, 10)), "NOT_THE_UPLOADER");
        let over = Attachment { state: State::Ready, ..attachment(10, 10) };
        assert_eq!(reason(append(&over, WHO, 0, 10)), "NOT_UPLOADING");
    }

    #[test]
    fn an_upload_ends_once_and_a_rejection_is_said_again() {
        assert_eq!(reason(finish(&attachment(10, 9), WHO)), "INCOMPLETE");
        assert_eq!(finish(&attachment(10, 10), WHO), Ok(true));
        assert_eq!(finish(&Attachment { state: State::Ready, ..attachment(10, 10) }, WHO), Ok(false));
        for rejection in Rejection::ALL {
            let rejected = Attachment { state: State::Rejected, reason: rejection.text().into(), ..attachment(10, 10) };
            assert_eq!(reason(finish(&rejected, WHO)), rejection.text());
        }
    }

    #[test]
    fn what_something_rests_on_is_ones_own_of_the_same_request_and_stays() {
        let (ticket, good) = (Uuid::from_u128(5), Attachment { state: State::Ready, ..attachment(1, 1) });
        rest_on(&good, ticket, WHO, true).expect("fits");
        let used = Attachment { used: true, ..good.clone() };
        assert_eq!(reason(rest_on(&used, ticket, WHO, true)), "IN_USE");
        assert_eq!(reason(delete(&used, WHO)), "IN_USE");
        delete(&good, WHO).expect("taken back");
        assert_eq!(reason(rest_on(&good, Uuid::nil(), WHO, true)), "OF_ANOTHER_TICKET");
        assert_eq!(reason(rest_on(&good, ticket, Uuid::nil(), true)), "NOT_THE_UPLOADER");
        assert_eq!(reason(rest_on(&attachment(1, 1), ticket, WHO, true)), "NOT_READY");
        let pdf = Attachment { kind: Kind::Document, ..good.clone() };
        assert_eq!(reason(rest_on(&pdf, ticket, WHO, true)), "NOT_A_PHOTO");
        rest_on(&pdf, ticket, WHO, false).expect("fits");
        let loose = Attachment { ticket: None, ..good.clone() };
        assert_eq!(reason(rest_on(&loose, ticket, WHO, false)), "OF_NO_TICKET");
        claim(&loose, WHO).expect("claimed");
        assert_eq!(reason(claim(&loose, Uuid::nil())), "NOT_FOUND", "another's loose one is as if it were not there");
        assert_eq!(reason(claim(&good, WHO)), "OF_ANOTHER_TICKET");
    }

    #[test]
    fn what_nobody_wants_goes_after_a_day_and_nothing_else() {
        let (created, day) = (Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH + KEPT_LOOSE);
        assert_eq!(step(State::Uploading, false, created, day), Step::Abandon);
        assert_eq!(step(State::Ready, true, created, day), Step::Abandon);
        assert_eq!(step(State::Ready, false, created, day), Step::Clear);
        assert_eq!(step(State::Ready, true, created, created), Step::Clear);
        assert_eq!(
            (step(State::Rejected, false, created, created), step(State::Rejected, false, created, day)),
            (Step::Clear, Step::Abandon)
        );
    }

    #[test]
    fn bytes_are_what_they_are_whatever_they_are_called() {
        for (kind, bytes, media) in [
            (Kind::Photo, &b"\xff\xd8\xff\xe0"[..], "image/jpeg"),
            (Kind::Photo, b"\x89PNG\r\n\x1a\n", "image/png"),
            (Kind::Photo, b"RIFF\0\0\0\0WEBP", "image/webp"),
            (Kind::Document, b"%PDF-1.7", "application/pdf"),
            (Kind::Audio, b"RIFF\0\0\0\0WAVE", "audio/wav"),
            (Kind::Audio, b"OggS", "audio/ogg"),
            (Kind::Audio, b"#!AMR\n", "audio/amr"),
            (Kind::Audio, b"ID3\x04", "audio/mpeg"),
            (Kind::Audio, b"\xff\xfb\x90\x64", "audio/mpeg"),
            (Kind::Audio, b"\xff\xf1\x50\x80", "audio/aac"),
            (Kind::Audio, b"\0\0\0\x20ftypM4A ", "audio/mp4"),
        ] {
            assert_eq!(recognise(kind, bytes), Ok(media));
        }
        for not in [
            &b"hello, I am a text"[..],
            b"MZ\x90\0",
            b"<svg xmlns",
            b"<html>",
            b"PK\x03\x04",
            b"",
            b"\xff",
            b"\xff\xff\xff",
            b"GIF89a",
            b"\0\0\0\x18ftypheic",
        ] {
            assert_eq!(recognise(Kind::Photo, not), Err(Rejection::NotAPhoto), "{not:?}");
            assert_eq!(recognise(Kind::Audio, not), Err(Rejection::TypeRefused), "{not:?}");
            assert_eq!(recognise(Kind::Document, not), Err(Rejection::TypeRefused), "{not:?}");
        }
        assert_eq!(recognise(Kind::Document, b"\xff\xd8\xff\xe0"), Err(Rejection::TypeRefused), "a photo is no document");
    }
}
