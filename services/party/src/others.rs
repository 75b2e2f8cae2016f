//! What this service asks of the others before it writes an id of theirs: whether it is there, in this district.

use drumtower_proto::{
    enterprise::{LookupEnterpriseRequest, enterprise_service_client::EnterpriseServiceClient},
    identity::{LookupUserRequest, user_service_client::UserServiceClient},
};
use drumtower_runtime::{Call, Fault, peers::Peers};

/// A company must be on the register; none need not.
pub async fn enterprise_exists(peers: &Peers, call: &Call, enterprise_id: &str) -> Result<(), Fault> {
    if enterprise_id.is_empty() {
        return Ok(());
    }
    let request = LookupEnterpriseRequest { enterprise_id: enterprise_id.to_owned(), credit_code: String::new() };
    EnterpriseServiceClient::new(peers.to("enterprise", &own(call))?).lookup_enterprise(request).await?;
    Ok(())
}

/// A person must be known; none need not.
pub async fn user_exists(peers: &Peers, call: &Call, user_id: &str) -> Result<(), Fault> {
    if user_id.is_empty() {
        return Ok(());
    }
    let request = LookupUserRequest { user_id: user_id.to_owned() };
    UserServiceClient::new(peers.to("identity", &own(call))?).lookup_user(request).await?;
    Ok(())
}

/// On this service's own account: the caller need not be allowed to look there.
fn own(call: &Call) -> Call {
    Call::of_service("party", call.tenant, call.now, call.remaining())
}
