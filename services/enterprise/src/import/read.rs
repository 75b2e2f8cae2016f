//! A file as a table of texts: its encoding found, its columns named, its lines counted.

use std::collections::HashMap;

use drumtower_runtime::{Kind, Refusal};

/// Rows that one file may have.
const MAX_ROWS: usize = 50_000;

/// Columns by the names that people write, in Chinese too.
const ALIASES: [(&str, &[&str]); 16] = [
    ("uscc", &["统一社会信用代码", "信用代码", "credit_code"]),
    ("name", &["企业名称", "名称", "单位名称"]),
    ("short_name", &["简称", "企业简称"]),
    ("kind", &["类型", "企业类型", "资质类型"]),
    ("status", &["状态", "登记状态"]),
    ("industry", &["行业", "行业代码"]),
    ("capital_wan", &["注册资本", "注册资本（万元）", "注册资本(万元)"]),
    ("established_on", &["成立日期"]),
    ("building_key", &["楼宇", "楼宇编号", "building"]),
    ("presence", &["入驻方式"]),
    ("since", &["入驻日期"]),
    ("level", &["级别", "等级"]),
    ("basis", &["依据"]),
    ("certificate_no", &["证书编号"]),
    ("valid_from", &["生效日期", "发证日期"]),
    ("valid_to", &["失效日期", "有效期至"]),
];

/// A row with its line in the file.
#[derive(Debug)]
pub struct Row {
    /// Line in the file, the header being 1.
    pub line: i32,
    cells: Vec<String>,
}

/// A table of texts.
#[derive(Debug)]
pub struct Table {
    columns: HashMap<String, usize>,
    /// Rows in the order of the file.
    pub rows: Vec<Row>,
}

impl Table {
    /// The text of a cell, trimmed; empty when the column is not there.
    pub fn cell<'a>(&self, row: &'a Row, column: &str) -> &'a str {
        self.columns.get(column).and_then(|place| row.cells.get(*place)).map_or("", |cell| cell.trim())
    }

    /// Whether a row says nothing.
    pub fn is_blank(&self, row: &Row) -> bool {
        row.cells.iter().all(|cell| cell.trim().is_empty())
    }
}

/// Reads a file: UTF-8 with or without a mark, else GB18030.
pub fn table(bytes: &[u8]) -> Result<Table, Refusal> {
    let bad = |zh: &str, en: String| Refusal::new(Kind::Invalid, "CSV", zh, en.clone()).field("csv", en);
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => {
            let (text, _, broken) = encoding_rs::GB18030.decode(bytes);
            if broken {
                return Err(bad("文件编码无法识别，请用 UTF-8 或 GB18030", "is neither UTF-8 nor GB18030".into()));
            }
            text.into_owned()
        }
    };
    if text.contains('\0') {
        return Err(bad("文件不是 CSV", "holds NUL characters: not a CSV".into()));
    }
    let mut reader = csv::ReaderBuilder::new().flexible(true).has_headers(false).from_reader(text.as_bytes());
    let mut records = reader.records();
    let header =
        records.next().ok_or_else(|| bad("文件为空", "is empty".into()))?.map_err(|error| bad("文件格式有误", error.to_string()))?;
    let columns: HashMap<String, usize> = header.iter().enumerate().map(|(place, name)| (known(name.trim()), place)).collect();
    if !columns.contains_key("uscc") {
        return Err(bad("缺少统一社会信用代码列", "has no column uscc".into()));
    }
    let mut rows = Vec::new();
    for record in records {
        let record = record.map_err(|error| bad("文件格式有误", error.to_string()))?;
        if rows.len() == MAX_ROWS {
            return Err(bad("文件行数过多", format!("has more than {MAX_ROWS} rows")));
        }
        let line = record.position().map_or(0, |position| i32::try_from(position.line()).unwrap_or(i32::MAX));
        rows.push(Row { line, cells: record.iter().map(str::to_owned).collect() });
    }
    Ok(Table { columns, rows })
}

fn known(name: &str) -> String {
    let alias = ALIASES.iter().find(|(known, aliases)| *known == name || aliases.contains(&name));
    alias.map_or_else(|| name.to_owned(), |(known, _)| (*known).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings_and_names_of_columns_are_found() {
        let text = "统一社会信用代码,企业名称\n91350200MA31E12PXF, 云栈智能 \n,\n";
        let utf8 = table(format!("\u{feff}{text}").as_bytes()).expect("read");
        assert_eq!(utf8.cell(&utf8.rows[0], "name"), "云栈智能");
        assert!(utf8.is_blank(&utf8.rows[1]));
        let (gb, ..) = encoding_rs::GB18030.encode(text);
        let gb = table(&gb).expect("read");
        assert_eq!((gb.cell(&gb.rows[0], "name"), gb.rows[0].line), ("云栈智能", 2));
        assert!(table(b"").is_err());
        assert!(table(b"a,b\n1,2").is_err());
        assert!(table(b"uscc\n\x00").is_err());
    }
}
