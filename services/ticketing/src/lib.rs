//! Requests for help, their clocks and ratings; the service catalog and its windows.

mod clock;
mod item;
mod setting;
mod ticket;
mod window;

use std::sync::Arc;

use drumtower_proto::ticketing::{
    item_service_server::ItemServiceServer, setting_service_server::SettingServiceServer, ticket_service_server::TicketServiceServer,
    ticket_side_service_server::TicketSideServiceServer, window_service_server::WindowServiceServer,
};
use drumtower_runtime::{Config, Failure, Parts, migrate, server};
use tonic::service::Routes;

use crate::setting::Settings;

/// The service's schema.
pub const SCHEMA: migrate::Service = migrate::Service {
    name: "ticketing",
    migrations: &[
        ("0002_ticketing", include_str!("../migrations/0002_ticketing.sql")),
        ("0003_visits", include_str!("../migrations/0003_visits.sql")),
        ("0004_side_roads", include_str!("../migrations/0004_side_roads.sql")),
        ("0005_settings", include_str!("../migrations/0005_settings.sql")),
    ],
};

/// Runs the service until the process is told to stop.
pub async fn serve(config: Config) -> Result<(), Failure> {
    server::run(config, "ticketing", async |parts| {
        let cards = cards(parts);
        for source in ["enterprise", "identity"] {
            tokio::spawn(cards.clone().keep_fresh(source, parts.db.clone(), parts.clock.clone()));
        }
        let settings = Settings::new(parts.db.clone())?;
        tokio::spawn(clock::watch::watch(parts.db.clone(), parts.clock.clone(), settings.clone()));
        routes_with(parts, settings)
    })
    .await
}

fn cards(parts: &Parts) -> ticket::cards::Cards {
    ticket::cards::Cards { peers: parts.peers.clone(), cache: parts.cache.clone() }
}

/// The service's RPCs.
pub fn routes(parts: &Parts) -> Result<Routes, Failure> {
    routes_with(parts, Settings::new(parts.db.clone())?)
}

fn routes_with(parts: &Parts, settings: Settings) -> Result<Routes, Failure> {
    let versions = setting::api::Versions { db: parts.db.clone(), settings: settings.clone() };
    let tickets = ticket::api::Tickets {
        db: parts.db.clone(),
        sealers: parts.sealers.clone(),
        cards: cards(parts),
        numbers: ticket::number::Numbers::default(),
        settings,
    };
    let tickets = Arc::new(tickets);
    Ok(Routes::new(TicketServiceServer::from_arc(Arc::clone(&tickets)))
        .add_service(TicketSideServiceServer::from_arc(tickets))
        .add_service(SettingServiceServer::new(versions))
        .add_service(WindowServiceServer::new(window::api::Windows { db: parts.db.clone() }))
        .add_service(ItemServiceServer::new(item::api::Items { db: parts.db.clone(), cards: cards(parts) })))
}
