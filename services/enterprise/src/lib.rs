//! Companies, qualifications, zones and buildings.

mod building;
mod day;
mod enterprise;
mod import;
mod presence;
mod qualification;
mod zone;

use drumtower_proto::enterprise::{
    building_service_server::BuildingServiceServer, enterprise_service_server::EnterpriseServiceServer,
    presence_service_server::PresenceServiceServer, qualification_service_server::QualificationServiceServer,
    zone_service_server::ZoneServiceServer,
};
use drumtower_proto::log::state_service_server::StateServiceServer;
use drumtower_runtime::{
    Config, Failure, Parts, migrate, server,
    state::{States, Work},
};
use tonic::service::Routes;

/// Largest request: a file of companies in base64's stead.
const MAX_REQUEST: usize = 12 * 1024 * 1024;

/// The service's schema.
pub const SCHEMA: migrate::Service = migrate::Service {
    name: "enterprise",
    migrations: &[
        ("0002_enterprise", include_str!("../migrations/0002_enterprise.sql")),
        ("0003_former_names", include_str!("../migrations/0003_former_names.sql")),
        ("0004_narrowed", include_str!("../migrations/0004_narrowed.sql")),
    ],
};

/// Runs the service until the process is told to stop.
pub async fn serve(config: Config) -> Result<(), Failure> {
    server::run(config, "enterprise", async |parts| Ok(routes(parts))).await
}

/// The service's RPCs.
pub fn routes(parts: &Parts) -> Routes {
    let db = || parts.db.clone();
    let qualifications = QualificationServiceServer::new(qualification::api::Qualifications { db: db() });
    Routes::new(EnterpriseServiceServer::new(enterprise::api::Enterprises { db: db() }).max_decoding_message_size(MAX_REQUEST))
        .add_service(qualifications.max_decoding_message_size(MAX_REQUEST))
        .add_service(PresenceServiceServer::new(presence::api::Presences { db: db() }))
        .add_service(StateServiceServer::new(States::new(parts, Work::NONE)))
        .add_service(BuildingServiceServer::new(building::api::Buildings { db: db() }))
        .add_service(ZoneServiceServer::new(zone::api::Zones { db: db() }))
}
