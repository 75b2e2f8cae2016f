//! RPCs of figures and reports.

use std::collections::BTreeMap;

use drumtower_proto::ticketing::{
    ComputeDurationsRequest, ComputeDurationsResponse, ComputeFiguresRequest, ComputeFiguresResponse, Duration, Figure, FigureDefinition,
    FigureGroup, FigureRow, FigureTarget, GetLiveCountersRequest, GetReportRequest, ListFigureDefinitionsRequest,
    ListFigureDefinitionsResponse, ListFigureRowsRequest, ListFigureRowsResponse, ListReportRowsRequest, ListReportRowsResponse,
    LiveCounters, PublishReportRequest, Report, figure_service_server::FigureService, setting, ticket::Kind,
};
use drumtower_runtime::{Call, Db, Fault, TenantTx, clock::to_proto, log::NewEvent, page};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::{
    report,
    rules::{self, Counted, Definition, FIGURES, Period},
    store::{self, Row},
};
use crate::setting::{
    rules::{Content, read},
    store::as_of,
};

/// The code of the weighed mean.
const COMPOSITE: &str = "composite";

/// The numbers a district publishes.
#[derive(Debug)]
pub struct Figures {
    pub db: Db,
}

impl Figures {
    async fn compute(&self, request: Request<ComputeFiguresRequest>) -> Result<Response<ComputeFiguresResponse>, Fault> {
        let (call, ask) = Call::take(request)?;
        let period = Period::read(&ask.from, &ask.to, &ask.as_of, call.now)?;
        let wanted = if ask.code.is_empty() { None } else { Some(rules::definition(&ask.code)?) };
        let by = ask.by();
        let mut tx = self.db.read(&call).await?;
        let mut figures = Vec::new();
        let mut groups: BTreeMap<String, Vec<(&Definition, Counted)>> = BTreeMap::new();
        for figure in FIGURES.iter().filter(|figure| wanted.is_none_or(|wanted| wanted.code == figure.code)) {
            let mut counted = store::count(&mut tx, figure, period, by).await?;
            if counted.is_empty() && by == FigureGroup::Unspecified {
                counted.push((String::new(), Counted::default()));
            }
            for (key, counted) in &counted {
                groups.entry(key.clone()).or_default().push((figure, *counted));
            }
            figures.extend(counted.into_iter().map(|(key, counted)| shown(figure.code, figure.version, group(by, key), counted)));
        }
        let mut targets = Vec::new();
        if let Some((version, content)) = as_of(&mut tx, setting::Kind::FigureWeights, period.as_of).await?
            && let Content::Weights(weights) = read(setting::Kind::FigureWeights, version, &content)?
        {
            targets.extend(weights.targets().map(|(code, percent)| FigureTarget { code: code.to_owned(), percent }));
            // One rate alone is no composite.
            let whole = if wanted.is_none() { groups } else { BTreeMap::new() };
            figures.extend(whole.into_iter().map(|(key, counted)| Figure {
                percent: weights.composite(counted.into_iter()),
                ..shown(COMPOSITE, version, group(by, key), Counted::default())
            }));
        }
        Ok(Response::new(ComputeFiguresResponse { figures, targets }))
    }

    async fn durations(&self, request: Request<ComputeDurationsRequest>) -> Result<Response<ComputeDurationsResponse>, Fault> {
        let (call, ask) = Call::take(request)?;
        let period = Period::read(&ask.from, &ask.to, "", call.now)?;
        let by = ask.by();
        let lasted = store::durations(&mut self.db.read(&call).await?, period, by).await?;
        let durations = lasted.into_iter().map(|(clock, key, count, median_seconds, p90_seconds)| Duration {
            clock,
            group: group(by, key),
            count,
            median_seconds,
            p90_seconds,
        });
        Ok(Response::new(ComputeDurationsResponse { durations: durations.collect() }))
    }

    async fn rows(&self, request: Request<ListFigureRowsRequest>) -> Result<Response<ListFigureRowsResponse>, Fault> {
        let (call, ask) = Call::take(request)?;
        let figure = rules::definition(&ask.code)?;
        let period = Period::read(&ask.from, &ask.to, &ask.as_of, call.now)?;
        let size = page::size(ask.page_size, 50);
        let question = format!("figure {} {} {} {}", ask.code, ask.from, ask.to, ask.as_of);
        let after: store::After = page::after(&question, &ask.page_token)?;
        let rows = store::list(&mut self.db.read(&call).await?, figure, period, after, size + 1).await?;
        let key = |row: &Row| (row.ticket_id, row.at.to_jiff(), row.unit_id.unwrap_or_default());
        let (rows, next_page_token) = page::cut(rows, size, &question, key);
        Ok(Response::new(ListFigureRowsResponse { rows: rows.into_iter().map(row).collect(), next_page_token }))
    }

    async fn publish(&self, request: Request<PublishReportRequest>) -> Result<Response<Report>, Fault> {
        let (call, ask) = Call::take(request)?;
        let period = Period::month(&ask.month, call.now)?;
        let mut tx = self.db.write(&call).await?;
        report::publish(&mut tx, &ask.month, period, &call.actor_name()).await?;
        let answer = published(&mut tx, ask.month).await?;
        tx.emit(NewEvent::new("report.published", &answer.month, 1));
        tx.commit(answer).await
    }

    async fn report(&self, request: Request<GetReportRequest>) -> Result<Response<Report>, Fault> {
        let (call, ask) = Call::take(request)?;
        Ok(Response::new(published(&mut self.db.read(&call).await?, ask.month).await?))
    }

    async fn report_rows(&self, request: Request<ListReportRowsRequest>) -> Result<Response<ListReportRowsResponse>, Fault> {
        let (call, ask) = Call::take(request)?;
        rules::definition(&ask.code)?;
        let size = page::size(ask.page_size, 50);
        let question = format!("report {} {}", ask.month, ask.code);
        let after: i32 = page::after(&question, &ask.page_token)?.unwrap_or_default();
        let mut tx = self.db.read(&call).await?;
        report::head(&mut tx, &ask.month).await?;
        let rows = report::rows(&mut tx, &ask.month, &ask.code, after, size + 1).await?;
        let (rows, next_page_token) = page::cut(rows, size, &question, |(place, _)| *place);
        Ok(Response::new(ListReportRowsResponse { rows: rows.into_iter().map(|(_, found)| row(found)).collect(), next_page_token }))
    }
}

async fn published(tx: &mut TenantTx, month: String) -> Result<Report, Fault> {
    let (at, by) = report::head(tx, &month).await?;
    let figures = report::figures(tx, &month).await?;
    let figures = figures.into_iter().map(|(unit, code, version, counted)| shown(&code, version, unit, counted)).collect();
    let published_by_id = if Uuid::try_parse(&by).is_ok() { by } else { String::new() };
    Ok(Report { month, figures, published_at: Some(to_proto(at)), published_by_id })
}

/// A kind is shown by its name, everything else by its id.
fn group(by: FigureGroup, key: String) -> String {
    if by != FigureGroup::Kind {
        return key;
    }
    key.parse::<i32>().ok().and_then(|kind| Kind::try_from(kind).ok()).map_or(key, |kind| kind.as_str_name().to_owned())
}

fn shown(code: &str, version: i32, group: String, counted: Counted) -> Figure {
    let is_count = rules::definition(code).is_ok_and(|figure| figure.is_count);
    Figure {
        code: code.to_owned(),
        version,
        group,
        numerator: counted.numerator,
        denominator: counted.denominator,
        numerator_with_excluded: counted.numerator_all,
        denominator_with_excluded: counted.denominator_all,
        percent: if is_count { String::new() } else { rules::percent(counted.numerator, counted.denominator) },
    }
}

fn row(row: Row) -> FigureRow {
    FigureRow {
        ticket_id: row.ticket_id.to_string(),
        number: row.number,
        unit_id: row.unit_id.map(|unit| unit.to_string()).unwrap_or_default(),
        at: Some(to_proto(row.at.to_jiff())),
        counts: row.counts,
        excluded: row.excluded,
    }
}

#[tonic::async_trait]
impl FigureService for Figures {
    async fn list_figure_definitions(
        &self,
        _: Request<ListFigureDefinitionsRequest>,
    ) -> Result<Response<ListFigureDefinitionsResponse>, Status> {
        let definitions = FIGURES.iter().map(|figure| FigureDefinition {
            code: figure.code.to_owned(),
            version: figure.version,
            name_zh: figure.zh.to_owned(),
            name_en: figure.en.to_owned(),
            counted: figure.counted.to_owned(),
            counts: figure.counts.to_owned(),
            is_count: figure.is_count,
            less_is_better: figure.less,
        });
        Ok(Response::new(ListFigureDefinitionsResponse { definitions: definitions.collect() }))
    }

    async fn compute_figures(&self, request: Request<ComputeFiguresRequest>) -> Result<Response<ComputeFiguresResponse>, Status> {
        Ok(self.compute(request).await?)
    }

    async fn get_live_counters(&self, request: Request<GetLiveCountersRequest>) -> Result<Response<LiveCounters>, Status> {
        Ok(self.live(request).await?)
    }

    async fn compute_durations(&self, request: Request<ComputeDurationsRequest>) -> Result<Response<ComputeDurationsResponse>, Status> {
        Ok(self.durations(request).await?)
    }

    async fn list_figure_rows(&self, request: Request<ListFigureRowsRequest>) -> Result<Response<ListFigureRowsResponse>, Status> {
        Ok(self.rows(request).await?)
    }

    async fn publish_report(&self, request: Request<PublishReportRequest>) -> Result<Response<Report>, Status> {
        Ok(self.publish(request).await?)
    }

    async fn get_report(&self, request: Request<GetReportRequest>) -> Result<Response<Report>, Status> {
        Ok(self.report(request).await?)
    }

    async fn list_report_rows(&self, request: Request<ListReportRowsRequest>) -> Result<Response<ListReportRowsResponse>, Status> {
        Ok(self.report_rows(request).await?)
    }
}
