//! Cards of other services: the company, the building, the units and the people a request names. Kept near, forgotten when their log says
//! they changed.

use drumtower_proto::{
    enterprise::{
        Building, Enterprise, GetZoneRequest, LookupBuildingRequest, LookupEnterpriseRequest, Zone,
        building_service_client::BuildingServiceClient, enterprise_service_client::EnterpriseServiceClient,
        zone_service_client::ZoneServiceClient,
    },
    identity::{
        LookupUnitsRequest, LookupUserRequest, Unit, User, unit_service_client::UnitServiceClient, user_service_client::UserServiceClient,
    },
};
use drumtower_runtime::{
    Call, Clock, Db, Fault, Refusal,
    cache::Cache,
    log::{Follow, follow},
    peers::Peers,
};
use uuid::Uuid;

use super::rules::Position;

/// Looks cards up.
#[derive(Debug, Clone)]
pub struct Cards {
    pub peers: Peers,
    pub cache: Cache,
}

impl Cards {
    /// A company of the district.
    pub async fn enterprise(&self, call: &Call, id: Uuid) -> Result<Enterprise, Fault> {
        let load = async {
            let request = LookupEnterpriseRequest { enterprise_id: id.to_string(), credit_code: String::new() };
            let own = of_service(call);
            Ok(EnterpriseServiceClient::new(self.peers.to("enterprise", &own)?).lookup_enterprise(request).await?.into_inner())
        };
        self.cache.get(call.tenant, "enterprise", &id.to_string(), load).await
    }

    /// A company of the district by its credit code. Asked each time: codes are entered anew, cards are found by id.
    pub async fn enterprise_by_code(&self, call: &Call, code: &str) -> Result<Enterprise, Fault> {
        let request = LookupEnterpriseRequest { enterprise_id: String::new(), credit_code: code.to_owned() };
        let own = of_service(call);
        Ok(EnterpriseServiceClient::new(self.peers.to("enterprise", &own)?).lookup_enterprise(request).await?.into_inner())
    }

    /// Where a building stands.
    pub async fn standing(&self, call: &Call, id: Uuid) -> Result<Position, Fault> {
        let card = self.building(call, id).await?;
        Ok(Position { latitude: card.latitude, longitude: card.longitude })
    }

    /// A building of the district.
    pub async fn building(&self, call: &Call, id: Uuid) -> Result<Building, Fault> {
        let load = async {
            let request = LookupBuildingRequest { building_id: id.to_string() };
            let own = of_service(call);
            Ok(BuildingServiceClient::new(self.peers.to("enterprise", &own)?).lookup_building(request).await?.into_inner())
        };
        self.cache.get(call.tenant, "building", &id.to_string(), load).await
    }

    /// A zone of the district, asked in the person's name.
    pub async fn zone(&self, call: &Call, id: Uuid) -> Result<Zone, Fault> {
        let load = async {
            let request = GetZoneRequest { zone_id: id.to_string() };
            Ok(ZoneServiceClient::new(self.peers.to("enterprise", call)?).get_zone(request).await?.into_inner())
        };
        self.cache.get(call.tenant, "zone", &id.to_string(), load).await
    }

    /// A person of the district.
    pub async fn user(&self, call: &Call, id: Uuid) -> Result<User, Fault> {
        let request = LookupUserRequest { user_id: id.to_string() };
        let own = of_service(call);
        Ok(UserServiceClient::new(self.peers.to("identity", &own)?).lookup_user(request).await?.into_inner())
    }

    /// A unit of the district.
    pub async fn unit(&self, call: &Call, id: Uuid) -> Result<Unit, Fault> {
        let load = async {
            let own = of_service(call);
            let request = LookupUnitsRequest { unit_ids: vec![id.to_string()] };
            let found = UnitServiceClient::new(self.peers.to("identity", &own)?).lookup_units(request).await?.into_inner();
            found.units.into_iter().next().ok_or_else(|| Refusal::not_found("unit").into())
        };
        self.cache.get(call.tenant, "unit", &id.to_string(), load).await
    }

    /// Units that must be there and open for work.
    pub async fn open_units(&self, call: &Call, ids: &[Uuid]) -> Result<(), Fault> {
        for id in ids {
            let unit = self.unit(call, *id).await?;
            if !unit.active {
                return Err(Refusal::state("UNIT_CLOSED", "该单位已停用", "this unit is closed").fact("unit", unit.id).into());
            }
        }
        Ok(())
    }

    /// Forgets cards when the log of their service says that they changed. Until the process ends.
    pub async fn keep_fresh(self, source: &'static str, db: Db, clock: Clock) {
        let cache = self.cache.clone();
        follow(source, 0, db, self.peers, clock, move |news| {
            let Follow::Event(tenant, event) = news else { return };
            let (kind, subject) = match event.r#type.split('.').next() {
                Some(kind @ ("enterprise" | "building" | "zone" | "unit")) => (kind.to_owned(), event.subject.clone()),
                // A company moved in or out: its card says where it sits.
                Some("presence") => ("enterprise".to_owned(), company(&event.payload)),
                _ => return,
            };
            let cache = cache.clone();
            tokio::spawn(async move { cache.forget(tenant, &kind, &subject).await });
        })
        .await;
    }
}

/// The company that the facts of an event name.
fn company(payload: &str) -> String {
    let facts: serde_json::Value = serde_json::from_str(payload).unwrap_or_default();
    facts["enterprise"].as_str().unwrap_or_default().to_owned()
}

/// The same call on this service's own account: a look-up that the person need not be allowed to make.
fn of_service(call: &Call) -> Call {
    Call { bearer: None, ..Call::of_service("ticketing", call.tenant, call.now, call.remaining()) }
}
