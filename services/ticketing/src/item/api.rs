//! RPCs of the service catalog.

use drumtower_proto::ticketing::{
    CreateItemRequest, GetItemRequest, Item, ListItemsRequest, ListItemsResponse, item_service_server::ItemService,
};
use drumtower_runtime::{Call, Db, Fault, Refusal, call, log::NewEvent, page};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::{rules, store};
use crate::ticket::cards::Cards;

/// The service catalog.
#[derive(Debug)]
pub struct Items {
    pub db: Db,
    pub cards: Cards,
}

impl Items {
    async fn create(&self, request: Request<CreateItemRequest>) -> Result<Response<Item>, Fault> {
        let (call, ask) = Call::take(request)?;
        let unit = call::needed_id("unit_id", &ask.unit_id)?;
        rules::days(ask.legal_days, ask.promised_days)?;
        self.cards.open_units(&call, &[unit]).await?;
        let mut tx = self.db.write(&call).await?;
        let item = Item::from(store::insert(&mut tx, Uuid::now_v7(), unit, &ask).await?);
        tx.emit(NewEvent::new("item.created", &item.id, 1).facts(serde_json::json!({ "code": item.code })));
        tx.commit(item).await
    }

    async fn get(&self, request: Request<GetItemRequest>) -> Result<Response<Item>, Fault> {
        let (call, ask) = Call::take(request)?;
        let id = call::needed_id("item_id", &ask.item_id)?;
        let item = store::by_id(&mut self.db.read(&call).await?, id).await?.ok_or_else(|| Refusal::not_found("item"))?;
        Ok(Response::new(item.into()))
    }

    async fn list(&self, request: Request<ListItemsRequest>) -> Result<Response<ListItemsResponse>, Fault> {
        let (call, ask) = Call::take(request)?;
        let size = page::size(ask.page_size, 50);
        let question = format!("items {}", ask.kind);
        let after: String = page::after(&question, &ask.page_token)?.unwrap_or_default();
        let rows = store::page(&mut self.db.read(&call).await?, ask.kind, &after, size + 1).await?;
        let (rows, next_page_token) = page::cut(rows, size, &question, |row| row.code.clone());
        Ok(Response::new(ListItemsResponse { items: rows.into_iter().map(Into::into).collect(), next_page_token }))
    }
}

#[tonic::async_trait]
impl ItemService for Items {
    async fn create_item(&self, request: Request<CreateItemRequest>) -> Result<Response<Item>, Status> {
        Ok(self.create(request).await?)
    }

    async fn get_item(&self, request: Request<GetItemRequest>) -> Result<Response<Item>, Status> {
        Ok(self.get(request).await?)
    }

    async fn list_items(&self, request: Request<ListItemsRequest>) -> Result<Response<ListItemsResponse>, Status> {
        Ok(self.list(request).await?)
    }
}
