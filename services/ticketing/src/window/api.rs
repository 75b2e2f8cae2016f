//! RPCs of windows.

use drumtower_proto::ticketing::{
    CreateWindowRequest, ListWindowsRequest, ListWindowsResponse, Window, window_service_server::WindowService,
};
use drumtower_runtime::{Call, Db, Fault, log::NewEvent};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::store;

/// Windows.
#[derive(Debug)]
pub struct Windows {
    pub db: Db,
}

impl Windows {
    async fn create(&self, request: Request<CreateWindowRequest>) -> Result<Response<Window>, Fault> {
        let (call, ask) = Call::take(request)?;
        let mut tx = self.db.write(&call).await?;
        let window = Window::from(store::insert(&mut tx, Uuid::now_v7(), ask.number, &ask.name, &ask.group).await?);
        tx.emit(NewEvent::new("window.created", &window.id, 1).facts(serde_json::json!({ "number": window.number })));
        tx.commit(window).await
    }

    async fn list(&self, request: Request<ListWindowsRequest>) -> Result<Response<ListWindowsResponse>, Fault> {
        let (call, _) = Call::take(request)?;
        let windows = store::all(&mut self.db.read(&call).await?).await?.into_iter().map(Into::into).collect();
        Ok(Response::new(ListWindowsResponse { windows }))
    }
}

#[tonic::async_trait]
impl WindowService for Windows {
    async fn create_window(&self, request: Request<CreateWindowRequest>) -> Result<Response<Window>, Status> {
        Ok(self.create(request).await?)
    }

    async fn list_windows(&self, request: Request<ListWindowsRequest>) -> Result<Response<ListWindowsResponse>, Status> {
        Ok(self.list(request).await?)
    }
}
