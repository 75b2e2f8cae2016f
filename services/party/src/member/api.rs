//! RPCs of members.

use drumtower_proto::party::{
    CreateMemberRequest, GetMemberRequest, ListMembersRequest, ListMembersResponse, ListMyLookupsRequest, ListMyLookupsResponse, Lookup,
    Member, TransferMemberRequest, UnmaskMemberRequest, UnmaskedMember, member::Status as Stand, member_service_server::MemberService,
};
use drumtower_runtime::{
    Call, Db, Fault, Kind, Refusal, TenantTx,
    calendar::today,
    call::{id, needed_id},
    clock::to_proto,
    log::NewEvent,
    mask::masked,
    page,
    peers::Peers,
    seal::{Place, Sealer, Sealers},
};
use jiff::civil::Date;
use serde_json::json;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::{
    rules::{IdNumber, Membership, Standing, transfer},
    store::{self, New, Row},
};
use crate::{
    day, obligation,
    organisation::{api::reached, store as organisations},
    others,
};

/// Members.
#[derive(Debug)]
pub struct Members {
    /// The database.
    pub db: Db,
    /// What seals personal data.
    pub sealers: Sealers,
    /// To ask whether an account is known.
    pub peers: Peers,
}

/// Personal data in clear; lives as long as the answer.
struct Clear {
    name: String,
    phone: String,
    id_number: String,
}

fn place<'a>(column: &'a str, row: &'a str) -> Place<'a> {
    Place { table: "member", column, row }
}

impl Clear {
    fn of(row: &Row, sealer: &Sealer) -> Result<Self, Fault> {
        let id = row.id.to_string();
        Ok(Self {
            name: sealer.open(place("name", &id), &row.name)?,
            phone: sealer.open(place("phone", &id), &row.phone)?,
            id_number: sealer.open(place("id_number", &id), &row.id_number)?,
        })
    }

    /// The answer of a write is kept with its idempotency key, so it is masked before the guard sees it.
    fn masked(self) -> Self {
        Self { name: masked("NAME", &self.name), phone: masked("PHONE", &self.phone), id_number: masked("ID_NUMBER", &self.id_number) }
    }
}

fn answer(row: &Row, clear: Clear) -> Member {
    Member {
        id: row.id.to_string(),
        name: clear.name,
        phone: clear.phone,
        id_number: clear.id_number,
        organisation_id: row.organisation_id.to_string(),
        status: i32::from(row.status),
        joined_year: i32::from(row.joined_on.to_jiff().year()),
        etag: row.version.to_string(),
    }
}

fn sealed(ask: &CreateMemberRequest, id: Uuid, standing: Standing, sealer: &Sealer) -> Result<New, Fault> {
    let row = id.to_string();
    Ok(New {
        id,
        name: sealer.seal(place("name", &row), &ask.name)?,
        phone: sealer.seal(place("phone", &row), &ask.phone)?,
        id_number: sealer.seal(place("id_number", &row), &ask.id_number)?,
        id_number_index: sealer.blind("id_number", &ask.id_number),
        standing,
        user_id: self::id("user_id", &ask.user_id)?,
    })
}

/// What a request to add a member says about standing and first day, checked.
fn taken(ask: &CreateMemberRequest, today: Date) -> Result<(Standing, Date), Refusal> {
    let standing = Standing {
        status: Stand::try_from(ask.status).unwrap_or_default(),
        joined_on: day::needed("joined_on", &ask.joined_on)?,
        full_on: day::given("full_on", &ask.full_on)?,
    };
    standing.check()?;
    let since = day::needed("since", &ask.since)?;
    for (field, day) in [("joined_on", Some(standing.joined_on)), ("full_on", standing.full_on), ("since", Some(since))] {
        if day.is_some_and(|day| day > today) {
            return Err(Refusal::invalid(field, "IN_FUTURE", "日期不能晚于今天", "is in the future"));
        }
    }
    if since < standing.joined_on {
        return Err(Refusal::invalid("since", "BEFORE_JOINING", "早于入党日期", "is before the day of joining"));
    }
    if !ask.id_number.is_empty() {
        IdNumber::parse(&ask.id_number, today)?;
    }
    Ok((standing, since))
}

/// The member, if the caller's permission reaches the organisation of today.
async fn within_reach(tx: &mut TenantTx, call: &Call, permission: &str, member: Uuid) -> Result<Row, Fault> {
    let row = store::by_id(tx, member, today(call.now)).await?.ok_or_else(|| Refusal::not_found("member"))?;
    reached(tx, call, permission).await?.must_include(row.organisation_id, "member")?;
    Ok(row)
}

impl Members {
    async fn create(&self, request: Request<CreateMemberRequest>) -> Result<Response<Member>, Fault> {
        let (call, ask) = Call::take(request)?;
        let today = today(call.now);
        let organisation = needed_id("organisation_id", &ask.organisation_id)?;
        let (standing, since) = taken(&ask, today)?;
        others::user_exists(&self.peers, &call, &ask.user_id).await?;
        let sealer = self.sealers.of(&self.db, &call).await?;
        let new = sealed(&ask, Uuid::now_v7(), standing, &sealer)?;
        let mut tx = self.db.write(&call).await?;
        reached(&mut tx, &call, "member.write").await?.must_include(organisation, "organisation")?;
        let life = organisations::life(&mut tx, organisation).await?.ok_or_else(|| Refusal::not_found("organisation"))?;
        life.must_cover("since", since)?;
        if !store::insert(&mut tx, &new).await? {
            let (zh, en) = ("该身份证号或账号已登记为党员", "a member with this identity number or account exists");
            return Err(Refusal::new(Kind::Exists, "MEMBER_EXISTS", zh, en).into());
        }
        store::begin(&mut tx, new.id, &Membership { organisation, from: since, to: None }).await?;
        let row = store::by_id(&mut tx, new.id, today).await?.ok_or_else(|| Fault::broken("a member vanished"))?;
        obligation::store::changed(&mut tx).await?;
        tx.emit(NewEvent::new("member.created", new.id, 1).facts(json!({ "organisation": organisation, "since": since })));
        tx.commit(answer(&row, Clear::of(&row, &sealer)?.masked())).await
    }

    async fn get(&self, request: Request<GetMemberRequest>) -> Result<Response<Member>, Fault> {
        let (call, ask) = Call::take(request)?;
        let id = needed_id("member_id", &ask.member_id)?;
        let sealer = self.sealers.of(&self.db, &call).await?;
        let mut tx = self.db.read(&call).await?;
        let row = within_reach(&mut tx, &call, "member.read", id).await?;
        Ok(Response::new(answer(&row, Clear::of(&row, &sealer)?)))
    }

    async fn list(&self, request: Request<ListMembersRequest>) -> Result<Response<ListMembersResponse>, Fault> {
        let (call, ask) = Call::take(request)?;
        let organisation = needed_id("organisation_id", &ask.organisation_id)?;
        let on = day::or_today("on", &ask.on, call.now)?;
        let question = format!("members of {organisation} on {on}");
        let (size, after) = (page::size(ask.page_size, 50), page::after(&question, &ask.page_token)?);
        let sealer = self.sealers.of(&self.db, &call).await?;
        let mut tx = self.db.read(&call).await?;
        reached(&mut tx, &call, "member.read").await?.must_include(organisation, "organisation")?;
        organisations::life(&mut tx, organisation).await?.ok_or_else(|| Refusal::not_found("organisation"))?;
        let rows = store::of_organisation(&mut tx, organisation, on, after, size + 1).await?;
        let (rows, next_page_token) = page::cut(rows, size, &question, |row| row.id);
        let members = rows.iter().map(|row| Ok(answer(row, Clear::of(row, &sealer)?))).collect::<Result<_, Fault>>()?;
        Ok(Response::new(ListMembersResponse { members, next_page_token }))
    }

    async fn transfer(&self, request: Request<TransferMemberRequest>) -> Result<Response<Member>, Fault> {
        let (call, ask) = Call::take(request)?;
        let id = needed_id("member_id", &ask.member_id)?;
        let organisation = needed_id("organisation_id", &ask.organisation_id)?;
        let from = day::needed("from", &ask.from)?;
        let sealer = self.sealers.of(&self.db, &call).await?;
        let mut tx = self.db.write(&call).await?;
        let seen = within_reach(&mut tx, &call, "member.write", id).await?.version;
        // Two at once: the one that had to wait for the lock decided on what is no longer so.
        match store::lock(&mut tx, id).await? {
            Some(version) if version == seen => {}
            Some(version) => return Err(Refusal::stale(version.to_string()).into()),
            None => return Err(Refusal::not_found("member").into()),
        }
        reached(&mut tx, &call, "member.write").await?.must_include(organisation, "organisation")?;
        let life = organisations::life(&mut tx, organisation).await?.ok_or_else(|| Refusal::not_found("organisation"))?;
        life.must_cover("from", from)?;
        let last = store::last_membership(&mut tx, id).await?.ok_or_else(|| Fault::broken("a member without a membership"))?;
        let (closed, opened) = transfer(&last, organisation, from)?;
        store::end(&mut tx, id, &closed).await?;
        store::begin(&mut tx, id, &opened).await?;
        let version = store::transferred(&mut tx, id).await?;
        let row = store::by_id(&mut tx, id, from.max(today(call.now))).await?.ok_or_else(|| Fault::broken("a member vanished"))?;
        obligation::store::changed(&mut tx).await?;
        let facts = json!({ "from_organisation": last.organisation, "to_organisation": organisation, "from": from });
        tx.emit(NewEvent::new("member.transferred", id, version).facts(facts));
        tx.commit(answer(&row, Clear::of(&row, &sealer)?.masked())).await
    }

    /// What is kept with the idempotency key is the id alone: personal data lies nowhere unsealed, and a repeated key shows none.
    async fn unmask(&self, request: Request<UnmaskMemberRequest>) -> Result<Response<UnmaskedMember>, Fault> {
        let (call, ask) = Call::take(request)?;
        let id = needed_id("member_id", &ask.member_id)?;
        let who = call.person()?.sub;
        let sealer = self.sealers.of(&self.db, &call).await?;
        let mut tx = self.db.write(&call).await?;
        let row = within_reach(&mut tx, &call, "member.personal_data", id).await?;
        let clear = Clear::of(&row, &sealer)?;
        let lookup = Uuid::now_v7();
        store::looked_up(&mut tx, lookup, id, who, &ask.reason, call.now).await?;
        tx.emit(NewEvent::new("member.unmasked", id, row.version).facts(json!({ "lookup": lookup })));
        tx.commit(UnmaskedMember { id: id.to_string(), ..UnmaskedMember::default() }).await?;
        Ok(Response::new(UnmaskedMember {
            id: id.to_string(),
            name: clear.name,
            phone: clear.phone,
            id_number: clear.id_number,
            joined_on: row.joined_on.to_jiff().to_string(),
            full_on: day::text(row.full_on.map(jiff_sqlx::Date::to_jiff)),
        }))
    }

    async fn my_lookups(&self, request: Request<ListMyLookupsRequest>) -> Result<Response<ListMyLookupsResponse>, Fault> {
        let (call, _) = Call::take(request)?;
        let me = call.person()?.sub;
        let rows = store::lookups_of_account(&mut self.db.read(&call).await?, me).await?;
        let lookup =
            |(user, reason, at): (Uuid, String, jiff::Timestamp)| Lookup { user_id: user.to_string(), reason, at: Some(to_proto(at)) };
        Ok(Response::new(ListMyLookupsResponse { lookups: rows.into_iter().map(lookup).collect() }))
    }
}

#[tonic::async_trait]
impl MemberService for Members {
    async fn create_member(&self, request: Request<CreateMemberRequest>) -> Result<Response<Member>, Status> {
        Ok(self.create(request).await?)
    }

    async fn get_member(&self, request: Request<GetMemberRequest>) -> Result<Response<Member>, Status> {
        Ok(self.get(request).await?)
    }

    async fn list_members(&self, request: Request<ListMembersRequest>) -> Result<Response<ListMembersResponse>, Status> {
        Ok(self.list(request).await?)
    }

    async fn transfer_member(&self, request: Request<TransferMemberRequest>) -> Result<Response<Member>, Status> {
        Ok(self.transfer(request).await?)
    }

    async fn unmask_member(&self, request: Request<UnmaskMemberRequest>) -> Result<Response<UnmaskedMember>, Status> {
        Ok(self.unmask(request).await?)
    }

    async fn list_my_lookups(&self, request: Request<ListMyLookupsRequest>) -> Result<Response<ListMyLookupsResponse>, Status> {
        Ok(self.my_lookups(request).await?)
    }
}
