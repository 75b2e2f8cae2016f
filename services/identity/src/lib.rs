//! Who people are, what they may do, how to reach them; the districts; the audit page over everybody's log.

mod assignment;
mod audit;
mod brand;
mod notice;
mod operation;
mod password;
mod reach;
mod sender;
mod session;
mod tenant;
mod unit;
mod user;
mod wechat;

use std::sync::Arc;

use drumtower_proto::identity::{
    assignment_service_server::AssignmentServiceServer, audit_service_server::AuditServiceServer, brand_service_server::BrandServiceServer,
    notice_service_server::NoticeServiceServer, operation_service_server::OperationServiceServer,
    password_service_server::PasswordServiceServer, reach_service_server::ReachServiceServer, sender_service_server::SenderServiceServer,
    session_service_server::SessionServiceServer, tenant_service_server::TenantServiceServer, unit_service_server::UnitServiceServer,
    user_service_server::UserServiceServer, wechat_service_server::WechatServiceServer,
};
use drumtower_proto::log::state_service_server::StateServiceServer;
use drumtower_runtime::{
    Config, Failure, Parts,
    delivery::{self, carry_all},
    housekeeping::keep_house,
    log::consume,
    migrate, server,
    state::{States, Work},
    web::Web,
};
use tonic::service::Routes;

pub use session::chores::CHORES;
pub use tenant::{
    onboard::{NewTenant, NewUnit, Officer, all, onboard, reset},
    rules::PLATFORM,
};

/// The service's schema.
pub const SCHEMA: migrate::Service = migrate::Service {
    name: "identity",
    migrations: &[
        ("0002_identity", include_str!("../migrations/0002_identity.sql")),
        ("0003_past_sessions", include_str!("../migrations/0003_past_sessions.sql")),
        ("0004_people_of_companies", include_str!("../migrations/0004_people_of_companies.sql")),
        ("0005_reach", include_str!("../migrations/0005_reach.sql")),
        ("0006_brand", include_str!("../migrations/0006_brand.sql")),
        ("0007_browser_sessions", include_str!("../migrations/0007_browser_sessions.sql")),
        ("0008_standing", include_str!("../migrations/0008_standing.sql")),
    ],
};

/// Services whose events ask for notices, with the cursors' names.
const TOLD_BY: [(&str, &str); 2] = [("ticketing", "notices of ticketing"), ("party", "notices of party")];

/// What this service does beside answering calls.
const WORK: Work = Work { consumers: &TOLD_BY, dues: &[delivery::DUE] };

/// Runs the service until the process is told to stop.
pub async fn serve(config: Config) -> Result<(), Failure> {
    server::run(config, "identity", async |parts| {
        for (source, name) in TOLD_BY {
            let consumer = notice::consume::Notices { source, name };
            tokio::spawn(consume(consumer, parts.db.clone(), parts.peers.clone(), parts.clock.clone()));
        }
        let post = sender::carry::Post {
            db: parts.db.clone(),
            sealers: parts.sealers.clone(),
            clock: parts.clock.clone(),
            web: web(parts)?,
            tokens: Default::default(),
        };
        tokio::spawn(carry_all(parts.db.clone(), parts.clock.clone(), Arc::new(post)));
        tokio::spawn(keep_house(parts.db.clone(), parts.clock.clone(), &CHORES));
        routes(parts)
    })
    .await
}

fn web(parts: &Parts) -> Result<Web, Failure> {
    Ok(Web::new(&parts.config.outgoing.inside).map_err(|error| format!("{error:?}"))?)
}

/// The service's RPCs. The keys that verify people's tokens are known to this process without asking.
pub fn routes(parts: &Parts) -> Result<Routes, Failure> {
    let signer = Arc::new(server::signer(&parts.config, "identity-tokens.key")?);
    parts.people.replace([signer.public()]);
    let (db, sealers, peers) = (parts.db.clone(), parts.sealers.clone(), parts.peers.clone());
    let wechat = wechat::api::Wechat { db: db.clone(), sealers: sealers.clone(), peers: peers.clone(), signer: Arc::clone(&signer) };
    let senders = sender::api::Senders { db: db.clone(), sealers: sealers.clone(), web: web(parts)? };
    let reaches = reach::api::Reaches { db: db.clone(), sealers: sealers.clone() };
    Ok(Routes::new(SessionServiceServer::new(session::api::Sessions { db: db.clone(), sealers: sealers.clone(), signer }))
        .add_service(WechatServiceServer::new(wechat))
        .add_service(SenderServiceServer::new(senders))
        .add_service(ReachServiceServer::new(reaches))
        .add_service(UserServiceServer::new(user::api::Users { db: db.clone(), sealers, peers: peers.clone() }))
        .add_service(AssignmentServiceServer::new(assignment::api::Assignments { db: db.clone(), peers: peers.clone() }))
        .add_service(PasswordServiceServer::new(password::api::Passwords { db: db.clone() }))
        .add_service(UnitServiceServer::new(unit::api::Units { db: db.clone() }))
        .add_service(TenantServiceServer::new(tenant::api::Tenants { db: db.clone() }))
        .add_service(BrandServiceServer::new(brand::api::Brands { db: db.clone() }))
        .add_service(NoticeServiceServer::new(notice::api::Inbox { db: db.clone() }))
        .add_service(OperationServiceServer::new(operation::api::Operations { db, peers: peers.clone() }))
        .add_service(StateServiceServer::new(States::new(parts, WORK)))
        .add_service(AuditServiceServer::new(audit::api::Audit { peers })))
}
