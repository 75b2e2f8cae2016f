//! RPCs of brands and root texts.

use drumtower_proto::{
    google::api::HttpBody,
    identity::{
        Brand, DeleteRootTextRequest, GetBrandRequest, GetRootTextRequest, ListRootTextsRequest, ListRootTextsResponse, RootText,
        SetRootTextRequest, UpdateBrandRequest, brand_service_server::BrandService,
    },
};
use drumtower_runtime::{Call, Db, Fault, Refusal, log::NewEvent};
use tonic::{Request, Response, Status};

use super::{rules, store};

/// Brands.
#[derive(Debug)]
pub struct Brands {
    pub db: Db,
}

impl Brands {
    async fn get(&self, request: Request<GetBrandRequest>) -> Result<Response<Brand>, Fault> {
        let (call, _) = Call::take(request)?;
        let found = store::of(&mut self.db.read(&call).await?).await?;
        Ok(Response::new(found.unwrap_or_default().into()))
    }

    async fn update(&self, request: Request<UpdateBrandRequest>) -> Result<Response<Brand>, Fault> {
        let (call, ask) = Call::take(request)?;
        let brand = ask.brand.unwrap_or_default();
        rules::check(&brand)?;
        let mut tx = self.db.write(&call).await?;
        let before = store::lock(&mut tx).await?;
        if !brand.etag.is_empty() && brand.etag != before.to_string() {
            return Err(Refusal::stale(before.to_string()).into());
        }
        let version = before + 1;
        store::set(&mut tx, &brand, version).await?;
        tx.emit(
            NewEvent::new("brand.updated", call.tenant, version).facts(serde_json::json!({ "frame_ancestors": brand.frame_ancestors })),
        );
        let logo_type = rules::picture(&brand.logo).map(|found| found.media().to_owned()).unwrap_or_default();
        tx.commit(Brand { logo_type, etag: version.to_string(), ..brand }).await
    }

    async fn text(&self, request: Request<GetRootTextRequest>) -> Result<Response<HttpBody>, Fault> {
        let (call, ask) = Call::take(request)?;
        let found = store::text(&mut self.db.read(&call).await?, &ask.name).await?;
        let text = found.ok_or_else(|| Refusal::not_found("root_text"))?;
        Ok(Response::new(HttpBody { content_type: "text/plain; charset=utf-8".to_owned(), data: text.into_bytes() }))
    }

    async fn texts(&self, request: Request<ListRootTextsRequest>) -> Result<Response<ListRootTextsResponse>, Fault> {
        let (call, _) = Call::take(request)?;
        let texts = store::texts(&mut self.db.read(&call).await?).await?;
        Ok(Response::new(ListRootTextsResponse { texts: texts.into_iter().map(Into::into).collect() }))
    }

    async fn set_text(&self, request: Request<SetRootTextRequest>) -> Result<Response<RootText>, Fault> {
        let (call, ask) = Call::take(request)?;
        rules::text(&ask.text)?;
        let mut tx = self.db.write(&call).await?;
        store::lock(&mut tx).await?;
        if store::others(&mut tx, &ask.name).await? >= rules::MOST_TEXTS {
            return Err(rules::enough().into());
        }
        let set = store::set_text(&mut tx, &ask.name, &ask.text).await?;
        tx.emit(NewEvent::new("root_text.set", &ask.name, 0));
        tx.commit(set.into()).await
    }

    async fn delete_text(&self, request: Request<DeleteRootTextRequest>) -> Result<Response<()>, Fault> {
        let (call, ask) = Call::take(request)?;
        let mut tx = self.db.write(&call).await?;
        store::lock(&mut tx).await?;
        if store::drop_text(&mut tx, &ask.name).await? {
            tx.emit(NewEvent::new("root_text.deleted", &ask.name, 0));
        }
        tx.commit(()).await
    }
}

#[tonic::async_trait]
impl BrandService for Brands {
    async fn get_brand(&self, request: Request<GetBrandRequest>) -> Result<Response<Brand>, Status> {
        Ok(self.get(request).await?)
    }

    async fn update_brand(&self, request: Request<UpdateBrandRequest>) -> Result<Response<Brand>, Status> {
        Ok(self.update(request).await?)
    }

    async fn get_root_text(&self, request: Request<GetRootTextRequest>) -> Result<Response<HttpBody>, Status> {
        Ok(self.text(request).await?)
    }

    async fn list_root_texts(&self, request: Request<ListRootTextsRequest>) -> Result<Response<ListRootTextsResponse>, Status> {
        Ok(self.texts(request).await?)
    }

    async fn set_root_text(&self, request: Request<SetRootTextRequest>) -> Result<Response<RootText>, Status> {
        Ok(self.set_text(request).await?)
    }

    async fn delete_root_text(&self, request: Request<DeleteRootTextRequest>) -> Result<Response<()>, Status> {
        Ok(self.delete_text(request).await?)
    }
}
