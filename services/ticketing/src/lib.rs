//! Requests for help, their clocks and ratings; the service catalog and its windows.

mod clock;
mod item;
mod ticket;
mod window;

use std::sync::Arc;

use drumtower_proto::ticketing::{
    item_service_server::ItemServiceServer, ticket_service_server::TicketServiceServer, window_service_server::WindowServiceServer,
};
use drumtower_runtime::{Config, Failure, Parts, calendar::Calendar, migrate, server};
use tonic::service::Routes;

use crate::clock::rules::Policy;

/// The service's schema.
pub const SCHEMA: migrate::Service = migrate::Service {
    name: "ticketing",
    migrations: &[
        ("0002_ticketing", include_str!("../migrations/0002_ticketing.sql")),
        ("0003_visits", include_str!("../migrations/0003_visits.sql")),
    ],
};

/// What promises rest on: the policy in force and the working calendar.
#[derive(Debug)]
pub struct Setting {
    policy: Policy,
    calendar: Calendar,
}

impl Setting {
    fn standard() -> Result<Arc<Self>, Failure> {
        Ok(Arc::new(Self { policy: Policy::standard()?, calendar: Calendar::national() }))
    }
}

/// Runs the service until the process is told to stop.
pub async fn serve(config: Config) -> Result<(), Failure> {
    server::run(config, "ticketing", async |parts| {
        let cards = cards(parts);
        for source in ["enterprise", "identity"] {
            tokio::spawn(cards.clone().keep_fresh(source, parts.db.clone(), parts.clock.clone()));
        }
        tokio::spawn(clock::watch::watch(parts.db.clone(), parts.clock.clone(), Setting::standard()?));
        routes(parts)
    })
    .await
}

fn cards(parts: &Parts) -> ticket::cards::Cards {
    ticket::cards::Cards { peers: parts.peers.clone(), cache: parts.cache.clone() }
}

/// The service's RPCs.
pub fn routes(parts: &Parts) -> Result<Routes, Failure> {
    let tickets = ticket::api::Tickets {
        db: parts.db.clone(),
        sealers: parts.sealers.clone(),
        cards: cards(parts),
        numbers: ticket::number::Numbers::default(),
        setting: Setting::standard()?,
    };
    Ok(Routes::new(TicketServiceServer::new(tickets))
        .add_service(WindowServiceServer::new(window::api::Windows { db: parts.db.clone() }))
        .add_service(ItemServiceServer::new(item::api::Items { db: parts.db.clone(), cards: cards(parts) })))
}
