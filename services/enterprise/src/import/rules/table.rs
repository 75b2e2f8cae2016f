//! A file as a table of texts: its encoding found, its columns named, its lines counted.

use std::collections::HashMap;

use drumtower_runtime::{Kind, Refusal};

/// Rows that one file may have.
const MAX_ROWS: usize = 50_000;

/// Columns by the names that people write, in Chinese too.
const ALIASES: [(&str, &[&str]); 17] = [
    ("uscc", &["统一社会信用代码", "信用代码", "credit_code"]),
    ("name", &["企业名称", "名称", "单位名称"]),
    ("short_name", &["简称", "企业简称"]),
    ("kind", &["类型", "企业类型", "资质类型"]),
    ("status", &["状态", "登记状态"]),
    ("industry", &["行业", "行业代码", "国民经济行业"]),
    ("capital_wan", &["注册资本", "注册资本（万元）", "注册资本(万元)"]),
    ("established_on", &["成立日期", "成立时间"]),
    ("building_key", &["楼宇", "楼宇编号", "入驻楼宇", "building"]),
    ("presence", &["入驻方式"]),
    ("since", &["入驻日期", "入驻时间"]),
    ("level", &["级别", "等级"]),
    ("basis", &["依据", "认定依据"]),
    ("certificate_no", &["证书编号", "证书号"]),
    ("issuer", &["发证机关", "发证单位", "认定机构"]),
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
}

impl Row {
    /// Whether a row says nothing.
    pub fn is_blank(&self) -> bool {
        self.cells.iter().all(|cell| cell.trim().is_empty())
    }
}

/// Reads a file: UTF-8 with or without a mark, else GB18030; commas, or tabs or semicolons where the header has them instead.
pub fn table(bytes: &[u8]) -> Result<Table, Refusal> {
    let text = decoded(bytes)?;
    let header = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let delimiter = [b',', b'\t', b';'].into_iter().find(|byte| header.as_bytes().contains(byte)).unwrap_or(b',');
    let mut reader = csv::ReaderBuilder::new().flexible(true).has_headers(false).delimiter(delimiter).from_reader(text.as_bytes());
    let mut records = reader.records();
    let header = records.next().ok_or_else(|| bad("文件为空", "is empty"))?.map_err(|error| bad("文件格式有误", error.to_string()))?;
    let columns = columns(&header)?;
    let mut rows: Vec<Row> = Vec::new();
    for record in records {
        let record = record.map_err(|error| bad("文件格式有误", error.to_string()))?;
        let (line, blank) = place(&text, &record);
        if rows.len() + blank >= MAX_ROWS {
            return Err(bad("文件行数过多", format!("has more than {MAX_ROWS} rows")));
        }
        rows.extend((0..blank).map(|_| Row { line, cells: Vec::new() }));
        rows.push(Row { line, cells: record.iter().map(str::to_owned).collect() });
    }
    Ok(Table { columns, rows })
}

fn bad(zh: &str, en: impl Into<String>) -> Refusal {
    let en = en.into();
    Refusal::new(Kind::Invalid, "CSV", zh, en.clone()).field("csv", en)
}

fn decoded(bytes: &[u8]) -> Result<String, Refusal> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => match encoding_rs::GB18030.decode(bytes) {
            (text, _, false) => text.into_owned(),
            _ => return Err(bad("文件编码无法识别，请用 UTF-8 或 GB18030", "is neither UTF-8 nor GB18030")),
        },
    };
    if text.contains('\0') {
        return Err(bad("文件不是 CSV", "holds NUL characters: not a CSV"));
    }
    Ok(text)
}

/// Where each column stands. Two of one name would leave one unread.
fn columns(header: &csv::StringRecord) -> Result<HashMap<String, usize>, Refusal> {
    let mut columns = HashMap::new();
    for (place, name) in header.iter().enumerate() {
        let name = name.trim();
        if !name.is_empty() && columns.insert(known(name), place).is_some() {
            return Err(bad("列名重复", format!("has two columns that mean the same; the second is number {}", place + 1)));
        }
    }
    if !columns.contains_key("uscc") {
        return Err(bad("缺少统一社会信用代码列", "has no column uscc"));
    }
    Ok(columns)
}

/// The line that a record begins on, and how many blank lines stand before it: the reader passes over them, though they are counted.
fn place(text: &str, record: &csv::StringRecord) -> (i32, usize) {
    let Some(position) = record.position() else { return (0, 0) };
    let begins = usize::try_from(position.byte()).unwrap_or(usize::MAX);
    let (before, rest) = text.split_at_checked(begins).unwrap_or((text, ""));
    let passed = rest.bytes().take_while(|byte| matches!(byte, b'\r' | b'\n')).filter(|byte| *byte == b'\n').count();
    let ends_previous = usize::from(before.ends_with('\r') && rest.starts_with('\n'));
    let line = usize::try_from(position.line()).unwrap_or_default() + passed;
    (i32::try_from(line).unwrap_or(i32::MAX), passed - ends_previous)
}

fn known(name: &str) -> String {
    let alias = ALIASES.iter().find(|(known, aliases)| *known == name || aliases.contains(&name));
    alias.map_or_else(|| name.to_owned(), |(known, _)| (*known).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<(i32, bool)> {
        table(text.as_bytes()).expect("read").rows.iter().map(|row| (row.line, row.is_blank())).collect()
    }

    #[test]
    fn encodings_delimiters_and_names_of_columns_are_found() {
        let text = "统一社会信用代码,企业名称,发证机关\n91350200MA31E12PXF, 云栈智能 ,省厅\n,\n";
        let utf8 = table(format!("\u{feff}{text}").as_bytes()).expect("read");
        assert_eq!(utf8.cell(&utf8.rows[0], "name"), "云栈智能");
        assert!(utf8.rows[1].is_blank());
        let (gb, ..) = encoding_rs::GB18030.encode(text);
        let gb = table(&gb).expect("read");
        assert_eq!((gb.cell(&gb.rows[0], "name"), gb.cell(&gb.rows[0], "issuer"), gb.rows[0].line), ("云栈智能", "省厅", 2));
        let tabs = table(text.replace(',', "\t").as_bytes()).expect("read");
        assert_eq!(tabs.cell(&tabs.rows[0], "name"), "云栈智能");
        for bad in [&b""[..], b"a,b\n1,2", b"uscc\n\x00", "uscc,名称,企业名称\n".as_bytes()] {
            assert!(table(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn lines_are_counted_blank_ones_and_broken_ones_too() {
        let expected = [(2, false), (5, true), (5, true), (5, false), (7, false)];
        assert_eq!(lines("uscc,name\na,b\n\n\nc,\"d\ne\"\nf,g\n"), expected);
        assert_eq!(lines("uscc,name\r\na,b\r\n\r\n\r\nc,\"d\r\ne\"\r\nf,g"), expected);
        assert!(table(format!("uscc\n{}a", "\n".repeat(MAX_ROWS + 1)).as_bytes()).is_err());
    }
}
