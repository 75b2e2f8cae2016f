//! Party organisations: their tree, members, committees and meetings, and what they owe by rule.

mod day;
mod meeting;
mod member;
mod obligation;
mod organisation;
mod others;
mod rule;
mod term;

use std::sync::Arc;

use drumtower_proto::log::state_service_server::StateServiceServer;
use drumtower_proto::party::{
    meeting_service_server::MeetingServiceServer, member_service_server::MemberServiceServer,
    obligation_service_server::ObligationServiceServer, organisation_service_server::OrganisationServiceServer,
    term_service_server::TermServiceServer,
};
use drumtower_runtime::{
    Config, Failure, Parts,
    calendar::Calendar,
    migrate, server,
    state::{States, Work},
};
use tonic::service::Routes;

/// The service's schema.
pub const SCHEMA: migrate::Service =
    migrate::Service { name: "party", migrations: &[("0002_party", include_str!("../migrations/0002_party.sql"))] };

/// Runs the service until the process is told to stop.
pub async fn serve(config: Config) -> Result<(), Failure> {
    server::run(config, "party", async |parts| {
        tokio::spawn(obligation::sweep::sweep(evaluator(parts), parts.clock.clone()));
        Ok(routes(parts))
    })
    .await
}

/// The service's RPCs.
pub fn routes(parts: &Parts) -> Routes {
    let db = parts.db.clone();
    let sealers = parts.sealers.clone();
    Routes::new(OrganisationServiceServer::new(organisation::api::Organisations { db: db.clone(), peers: parts.peers.clone() }))
        .add_service(TermServiceServer::new(term::api::Terms { db: db.clone() }))
        .add_service(MemberServiceServer::new(member::api::Members { db: db.clone(), sealers, peers: parts.peers.clone() }))
        .add_service(MeetingServiceServer::new(meeting::api::Meetings { db }))
        .add_service(StateServiceServer::new(States::new(parts, Work::NONE)))
        .add_service(ObligationServiceServer::new(obligation::api::Obligations { evaluator: evaluator(parts) }))
}

fn evaluator(parts: &Parts) -> obligation::evaluator::Evaluator {
    obligation::evaluator::Evaluator { db: parts.db.clone(), calendar: Arc::new(Calendar::national()) }
}
