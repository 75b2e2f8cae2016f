//! Requests for help, their clocks and ratings; the service catalog and its windows.

mod attachment;
mod channel;
mod clock;
mod direct_line;
mod discussion;
mod dispatch;
mod export;
mod figure;
mod item;
mod open311;
mod outreach;
mod service_day;
mod setting;
mod ticket;
mod window;

use std::sync::Arc;

use drumtower_proto::log::state_service_server::StateServiceServer;
use drumtower_proto::ticketing::{
    attachment_service_server::AttachmentServiceServer, channel_service_server::ChannelServiceServer,
    direct_line_service_server::DirectLineServiceServer, discussion_service_server::DiscussionServiceServer,
    dispatch_service_server::DispatchServiceServer, export_service_server::ExportServiceServer, figure_service_server::FigureServiceServer,
    item_service_server::ItemServiceServer, open311_service_server::Open311ServiceServer, rating_service_server::RatingServiceServer,
    service_day_service_server::ServiceDayServiceServer, setting_service_server::SettingServiceServer,
    ticket_service_server::TicketServiceServer, ticket_side_service_server::TicketSideServiceServer,
    watch_service_server::WatchServiceServer, window_service_server::WindowServiceServer, worklist_service_server::WorklistServiceServer,
};
use drumtower_runtime::{
    Config, Failure, Parts, delivery,
    housekeeping::{Chore, keep_house},
    log::consume,
    migrate, server,
    state::{States, Work},
    web::Web,
};
use jiff::SignedDuration;
use tokio::sync::Semaphore;
use tonic::service::Routes;

use crate::{attachment::Examiner, setting::Settings};

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
        ("0012_attachments", include_str!("../migrations/0012_attachments.sql")),
        ("0013_outreach", include_str!("../migrations/0013_outreach.sql")),
        ("0014_channels", include_str!("../migrations/0014_channels.sql")),
        ("0016_counts", include_str!("../migrations/0016_counts.sql")),
        ("0017_found_by", include_str!("../migrations/0017_found_by.sql")),
        ("0018_exports", include_str!("../migrations/0018_exports.sql")),
    ],
};

/// Invitations that ran out a month ago, messages of half a year ago, exports of a year ago, deliveries of a quarter ago.
pub const CHORES: [Chore; 5] = [
    Chore {
        name: "invitations to rate",
        kept: SignedDuration::from_hours(30 * 24),
        find: "select tenant_id, count(*) from rating_invitation where expires_at < $1 group by tenant_id order by tenant_id",
        drop: "delete from rating_invitation where tenant_id = $1 and ticket_id in
                 (select ticket_id from rating_invitation where tenant_id = $1 and expires_at < $2 limit $3)",
    },
    Chore {
        name: "messages of channels",
        kept: SignedDuration::from_hours(180 * 24),
        find: "select tenant_id, count(*) from channel_message where at < $1 group by tenant_id order by tenant_id",
        drop: "delete from channel_message where tenant_id = $1 and (channel_id, key) in
                 (select channel_id, key from channel_message where tenant_id = $1 and at < $2 limit $3)",
    },
    Chore {
        name: "sightings",
        kept: SignedDuration::from_hours(180 * 24),
        find: "select tenant_id, count(*) from sighting where seen_at < $1 group by tenant_id order by tenant_id",
        drop: "delete from sighting where tenant_id = $1 and (channel_id, key) in
                 (select channel_id, key from sighting where tenant_id = $1 and seen_at < $2 limit $3)",
    },
    // Their files went after a week.
    Chore {
        name: "exports",
        kept: SignedDuration::from_hours(365 * 24),
        find: "select tenant_id, count(*) from export where created_at < $1 group by tenant_id order by tenant_id",
        drop: "delete from export where tenant_id = $1 and id in
                 (select id from export where tenant_id = $1 and created_at < $2 and due_at is null limit $3)",
    },
    delivery::OLD_DELIVERIES,
];

/// What this service does beside answering calls.
const WORK: Work = Work {
    consumers: &[("ticketing", channel::consume::NAME)],
    dues: &[
        ("clocks", "select count(*), min(fires_at) from clock where tenant_id = $1 and fires_at is not null and fires_at <= $2"),
        (
            "clocks of calls and discussions",
            "select count(*), min(fires_at) from outreach_due where tenant_id = $1 and fires_at is not null and fires_at <= $2",
        ),
        ("attachments", "select count(*), min(due_at) from attachment where tenant_id = $1 and due_at is not null and due_at <= $2"),
        ("exports", "select count(*), min(due_at) from export where tenant_id = $1 and due_at is not null and due_at <= $2"),
        delivery::DUE,
    ],
};

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
        tokio::spawn(consume(channel::consume::Courses, parts.db.clone(), parts.peers.clone(), parts.clock.clone()));
        tokio::spawn(delivery::carry_all(parts.db.clone(), parts.clock.clone(), Arc::new(courier(parts)?)));
        tokio::spawn(figure::backfill::keep_facts(parts.db.clone(), parts.clock.clone()));
        tokio::spawn(figure::rollup::keep_adding(parts.db.clone(), parts.clock.clone()));
        let requests = clock::watch::OfRequests { db: parts.db.clone(), time: parts.clock.clone(), settings: settings.clone() };
        tokio::spawn(clock::watch::watch(parts.db.clone(), parts.clock.clone(), requests));
        let dues = outreach::watch::Dues { db: parts.db.clone(), time: parts.clock.clone() };
        tokio::spawn(clock::watch::watch(parts.db.clone(), parts.clock.clone(), dues));
        let examiner = examiner(parts)?;
        tokio::spawn(attachment::watch::watch(examiner.clone()));
        tokio::spawn(export::watch::watch(exporter(parts, &examiner)));
        routes_with(parts, settings, examiner)
    })
    .await
}

fn cards(parts: &Parts) -> ticket::cards::Cards {
    ticket::cards::Cards { peers: parts.peers.clone(), cache: parts.cache.clone() }
}

fn courier(parts: &Parts) -> Result<channel::send::Courier, Failure> {
    let web = Web::new(&parts.config.outgoing.inside).map_err(|error| format!("{error:?}"))?;
    Ok(channel::send::Courier { db: parts.db.clone(), sealers: parts.sealers.clone(), clock: parts.clock.clone(), web })
}

fn exporter(parts: &Parts, examiner: &Examiner) -> export::watch::Exporter {
    export::watch::Exporter {
        db: parts.db.clone(),
        clock: parts.clock.clone(),
        sealers: parts.sealers.clone(),
        blobs: examiner.blobs.clone(),
        cards: cards(parts),
    }
}

/// The service's RPCs.
pub fn routes(parts: &Parts) -> Result<Routes, Failure> {
    routes_with(parts, Settings::new(parts.db.clone())?, examiner(parts)?)
}

fn examiner(parts: &Parts) -> Result<Examiner, Failure> {
    Examiner::new(&parts.config, parts.db.clone(), parts.clock.clone(), parts.sealers.clone())
}

fn routes_with(parts: &Parts, settings: Settings, examiner: Examiner) -> Result<Routes, Failure> {
    let exports = export::api::Exports {
        db: parts.db.clone(),
        sealers: parts.sealers.clone(),
        blobs: examiner.blobs.clone(),
        downloads: Semaphore::new(export::api::DOWNLOADS),
    };
    let downloads = Semaphore::new(attachment::api::DOWNLOADS);
    let attachments = attachment::api::Attachments { examiner: examiner.clone(), downloads };
    // As much as the guard takes: what is larger than a piece may be hears it from us.
    let attachments = AttachmentServiceServer::new(attachments).max_decoding_message_size(16 * 1024 * 1024);
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
    let web = Web::new(&parts.config.outgoing.inside).map_err(|error| format!("{error:?}"))?;
    let channels = channel::api::Channels { tickets: Arc::clone(&tickets), web, examiner };
    // Messages may carry pictures.
    let channels = ChannelServiceServer::new(channels).max_decoding_message_size(16 * 1024 * 1024);
    Ok(Routes::new(TicketServiceServer::from_arc(Arc::clone(&tickets)))
        .add_service(TicketSideServiceServer::from_arc(Arc::clone(&tickets)))
        .add_service(RatingServiceServer::from_arc(Arc::clone(&tickets)))
        .add_service(channels)
        .add_service(Open311ServiceServer::new(open311::api::Open311 { tickets: Arc::clone(&tickets) }))
        .add_service(StateServiceServer::new(States::new(parts, WORK)))
        .add_service(attachments)
        .add_service(ExportServiceServer::new(exports))
        .add_service(DirectLineServiceServer::new(direct_line::api::DirectLines { tickets: Arc::clone(&tickets) }))
        .add_service(ServiceDayServiceServer::new(service_day::api::ServiceDays { tickets: Arc::clone(&tickets) }))
        .add_service(DiscussionServiceServer::new(discussion::api::Discussions { tickets }))
        .add_service(WatchServiceServer::new(ticket::watch::Watch { db: parts.db.clone() }))
        .add_service(WorklistServiceServer::new(ticket::worklist::Worklists { db: parts.db.clone() }))
        .add_service(DispatchServiceServer::new(dispatch))
        .add_service(FigureServiceServer::new(figure::api::Figures { db: parts.db.clone() }))
        .add_service(SettingServiceServer::new(versions))
        .add_service(WindowServiceServer::new(window::api::Windows { db: parts.db.clone() }))
        .add_service(ItemServiceServer::new(item::api::Items { db: parts.db.clone(), cards: cards(parts) })))
}
