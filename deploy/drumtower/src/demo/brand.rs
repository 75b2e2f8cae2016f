//! How a demonstration district shows itself.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::{District, door::Person};
use crate::Failure;

/// The brand as it is sent, with the picture that it names.
fn brand(district: &District) -> Result<Value, Failure> {
    let mut brand = district.tenant.brand.clone();
    if let Some(file) = brand.get("logo").and_then(Value::as_str) {
        let file = district.dir.join(file);
        let bytes = std::fs::read(&file).map_err(|error| format!("{}: {error}", file.display()))?;
        brand.insert("logo".to_owned(), STANDARD.encode(bytes).into());
    }
    Ok(brand.into())
}

/// Sets brand and root texts; how many things were set.
pub async fn set(sysadmin: &Person, district: &District) -> Result<usize, Failure> {
    sysadmin.put("/v1/brand", "brand", &brand(district)?).await?;
    for (name, text) in &district.tenant.root_texts {
        sysadmin.put(&format!("/v1/rootTexts/{name}"), &format!("root_text:{name}"), &json!({ "text": text })).await?;
    }
    Ok(1 + district.tenant.root_texts.len())
}
