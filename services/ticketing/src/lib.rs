//! Requests for help, their clocks and ratings; the service catalog and its windows.

mod clock;
mod direct_line;
mod discussion;
mod dispatch;
mod figure;
mod item;
mod outreach;
mod service_day;
mod setting;
mod ticket;
mod window;

use std::sync::Arc;

use drumtower_proto::ticketing::{
    direct_line_service_server::DirectLineServiceServer, discussion_service_server::DiscussionServiceServer,
    dispatch_service_server::DispatchServiceServer, figure_service_server::FigureServiceServer, item_service_server::ItemServiceServer,
    rating_service_server::RatingServiceServer, service_day_service_server::ServiceDayServiceServer,
    setting_service_server::SettingServiceServer, ticket_service_server::TicketServiceServer,
    ticket_side_service_server::TicketSideServiceServer, watch_service_server::WatchServiceServer,
    window_service_server::WindowServiceServer,
};
use drumtower_runtime::{
    Config, Failure, Parts,
    housekeeping::{Chore, keep_house},
    migrate, server,
};
use jiff::SignedDuration;
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
        ("0006_ratings", include_str!("../migrations/0006_ratings.sql")),
        ("0007_figures", include_str!("../migrations/0007_figures.sql")),
        ("0008_dispatch", include_str!("../migrations/0008_dispatch.sql")),
        ("0009_arrivals", include_str!("../migrations/0009_arrivals.sql")),
        ("0010_parts", include_str!("../migrations/0010_parts.sql")),
        ("0011_unit_lists", include_str!("../migrations/0011_unit_lists.sql")),
        ("0013_outreach", include_str!("../migrations/0013_outreach.sql")),
    ],
};

/// Invitations that ran out a month ago.
pub const CHORES: [Chore; 1] = [Chore {
    name: "invitations to rate",
    kept: SignedDuration::from_hours(30 * 24),
    find: "select tenant_id, count(*) from rating_invitation where expires_at < $1 group by tenant_id order by tenant_id",
    drop: "delete from rating_invitation where tenant_id = $1 and ticket_id in
             (select ticket_id from rating_invitation where tenant_id = $1 and expires_at < $2 limit $3)",
}];

/// Runs the service until the process is told to stop.
pub async fn serve(config: Config) -> Result<(), Failure> {
    server::run(config, "ticketing", async |parts| {
        let cards = cards(parts);
        for source in ["enterprise", "identity"] {
            tokio::spawn(cards.clone().keep_fresh(source, parts.db.clone(), parts.clock.clone()));
        }
        tokio::spawn(keep_house(parts.db.clone(), parts.clock.clone(), &CHORES));
        let settings = Settings::new(parts.db.clone())?;
        tokio::spawn(setting::apply::follow_calendars(parts.db.clone(), parts.clock.clone(), settings.clone()));
        tokio::spawn(figure::backfill::keep_facts(parts.db.clone(), parts.clock.clone()));
        let requests = clock::watch::OfRequests { db: parts.db.clone(), time: parts.clock.clone(), settings: settings.clone() };
        tokio::spawn(clock::watch::watch(parts.db.clone(), parts.clock.clone(), requests));
        let dues = outreach::watch::Dues { db: parts.db.clone(), time: parts.clock.clone() };
        tokio::spawn(clock::watch::watch(parts.db.clone(), parts.clock.clone(), dues));
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
    let versions = setting::api::Versions { db: parts.db.clone(), settings: settings.clone(), cards: cards(parts) };
    let dispatch = dispatch::api::Dispatch { db: parts.db.clone(), cards: cards(parts), settings: settings.clone() };
    let tickets = ticket::api::Tickets {
        db: parts.db.clone(),
        sealers: parts.sealers.clone(),
        cards: cards(parts),
        numbers: ticket::number::Numbers::default(),
        settings,
    };
    let tickets = Arc::new(tickets);
    Ok(Routes::new(TicketServiceServer::from_arc(Arc::clone(&tickets)))
        .add_service(TicketSideServiceServer::from_arc(Arc::clone(&tickets)))
        .add_service(RatingServiceServer::from_arc(Arc::clone(&tickets)))
        .add_service(DirectLineServiceServer::new(direct_line::api::DirectLines { tickets: Arc::clone(&tickets) }))
        .add_service(ServiceDayServiceServer::new(service_day::api::ServiceDays { tickets: Arc::clone(&tickets) }))
        .add_service(DiscussionServiceServer::new(discussion::api::Discussions { tickets }))
        .add_service(WatchServiceServer::new(ticket::watch::Watch { db: parts.db.clone() }))
        .add_service(DispatchServiceServer::new(dispatch))
        .add_service(FigureServiceServer::new(figure::api::Figures { db: parts.db.clone() }))
        .add_service(SettingServiceServer::new(versions))
        .add_service(WindowServiceServer::new(window::api::Windows { db: parts.db.clone() }))
        .add_service(ItemServiceServer::new(item::api::Items { db: parts.db.clone(), cards: cards(parts) })))
}
