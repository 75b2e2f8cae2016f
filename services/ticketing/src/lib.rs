//! Requests for help, their clocks and ratings; the service catalog and its windows.

mod clock;
mod item;
mod ticket;
mod window;

use std::sync::Arc;

use drumtower_proto::ticketing::{
    item_service_server::ItemServiceServer, ticket_service_server::TicketServiceServer,
    ticket_side_service_server::TicketSideServiceServer, window_service_server::WindowServiceServer,
};
use drumtower_runtime::{Config, Failure, Parts, calendar::Calendar, migrate, server};
use tonic::service::Routes;

use crate::{
    clock::rules::{Policy, Promises},
    ticket::rules::{Book, Machine},
};

/// The service's schema.
pub const SCHEMA: migrate::Service = migrate::Service {
    name: "ticketing",
    migrations: &[
        ("0002_ticketing", include_str!("../migrations/0002_ticketing.sql")),
        ("0003_visits", include_str!("../migrations/0003_visits.sql")),
        ("0004_side_roads", include_str!("../migrations/0004_side_roads.sql")),
    ],
};

/// What decisions rest on: the machine, the policy in force and the working calendar.
#[derive(Debug)]
pub struct Setting {
    machine: Machine,
    policy: Policy,
    calendar: Calendar,
}

impl Setting {
    fn standard() -> Result<Arc<Self>, Failure> {
        let machine = Machine::standard()?;
        machine.check(&machine).map_err(|refusal| refusal.en().to_owned())?;
        Ok(Arc::new(Self { machine, policy: Policy::standard()?, calendar: Calendar::national() }))
    }

    fn book(&self) -> Book<'_> {
        Book { machine: &self.machine, promises: Promises { policy: &self.policy, calendar: &self.calendar } }
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
    let tickets = Arc::new(tickets);
    Ok(Routes::new(TicketServiceServer::from_arc(Arc::clone(&tickets)))
        .add_service(TicketSideServiceServer::from_arc(tickets))
        .add_service(WindowServiceServer::new(window::api::Windows { db: parts.db.clone() }))
        .add_service(ItemServiceServer::new(item::api::Items { db: parts.db.clone(), cards: cards(parts) })))
}
