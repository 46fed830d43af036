//! Static tables: CSV or YAML files beside the topology, read whole, typed, bounded.

use std::io::ErrorKind;
use std::ops::Range;
use std::sync::Arc;

use super::fault::{Faults, Source, nearest};
use super::spec::{Spec, TableSpec};
use super::vars::constant;
use super::yaml::{self, Bounds, Data, Node};
use crate::expr::{Const, Table, Type};
use crate::words;

/// Bytes of a table's file. It is kept in memory, some times as large.
const BYTES_MAX: u64 = 16 << 20;
/// Rows of a table.
const ROWS_MAX: usize = 200_000;

/// Reads the tables of a topology; faults stand where a row does, in its file.
pub fn load(spec: &Spec, faults: &mut Faults) -> Vec<Arc<Table>> {
    let mut tables = Vec::new();
    for table in &spec.tables {
        let mut reader = Reader {
            spec,
            table,
            faults,
        };
        // Without its rows a table still has its types, so that its uses are checked.
        let read = reader.read().unwrap_or_else(|| without_rows(table));
        tables.push(Arc::new(read));
    }
    tables
}

fn without_rows(table: &TableSpec) -> Table {
    let key = table.key.as_ref().map(|key| key.value.as_str());
    let is_key = |name: &str| key == Some(name);
    let int_key = table
        .columns
        .iter()
        .any(|(name, ty)| is_key(&name.value) && ty.value == "int");
    let columns = table
        .columns
        .iter()
        .filter(|(name, _)| !is_key(&name.value));
    let columns = columns.map(|(name, ty)| (name.value.clone(), type_of(&ty.value)));
    Table::new(table.name.value.clone(), int_key, columns.collect())
}

/// The text of the tables' files, for the hash of the plan: what is looked up belongs to what a topology does.
pub fn texts(spec: &Spec) -> impl Iterator<Item = String> {
    let paths = spec.tables.iter().filter_map(|table| table.file.as_ref());
    paths.filter_map(|file| spec.file.read_beside(&file.value, BYTES_MAX).ok())
}

struct Reader<'a> {
    spec: &'a Spec,
    table: &'a TableSpec,
    faults: &'a mut Faults,
}

/// A row: the place of each cell, and its text. `None` for what is not there.
type Row = Vec<Option<(String, Range<usize>)>>;

impl Reader<'_> {
    fn error(&mut self, code: &'static str, span: &Range<usize>, message: String, help: &str) {
        self.faults
            .error(code, &self.spec.file, span, message, help.to_owned());
    }

    fn read(&mut self) -> Option<Table> {
        let (file, key) = (self.table.file.as_ref()?, self.table.key.as_ref()?);
        let path = self.spec.file.beside(&file.value);
        let text = self.spec.file.read_beside(&file.value, BYTES_MAX);
        let text = match text {
            Ok(text) => text,
            Err(error) => {
                let why = words::of_io(&error);
                let message = format!("the table {} cannot be read: {why}", path.display());
                let help = match error.kind() {
                    ErrorKind::NotFound => "the path begins at the folder of the topology",
                    _ => words::remedy(&error),
                };
                self.error("table_unreadable", &file.span, message, help);
                return None;
            }
        };
        let mut names = vec![key.value.as_str()];
        let mut types = vec!["string"];
        for (name, ty) in &self.table.columns {
            match name.value == key.value {
                true => types[0] = ty.value.as_str(),
                false => {
                    names.push(&name.value);
                    types.push(&ty.value);
                }
            }
        }
        if !matches!(types[0], "string" | "int") {
            let message = format!(
                "the key of a table is a string or an int, not a {}",
                types[0]
            );
            self.error("table_invalid", &key.span, message, "choose another key");
            return None;
        }
        let source = Arc::new(Source::new(path.clone(), text));
        let rows = match path.extension().and_then(|end| end.to_str()) {
            Some("yaml" | "yml") => self.yaml(&source, &names)?,
            _ => self.csv(&source, &names, file.span.clone())?,
        };
        if rows.len() > ROWS_MAX {
            let message = format!(
                "the table has {} rows, at most {ROWS_MAX} are read",
                rows.len()
            );
            self.error(
                "table_invalid",
                &file.span,
                message,
                "a table of this size belongs into a topic or a database",
            );
            return None;
        }
        self.table(&source, &names, &types, rows)
    }

    fn csv(
        &mut self,
        source: &Arc<Source>,
        names: &[&str],
        span: Range<usize>,
    ) -> Option<Vec<Row>> {
        let mut reader = csv::ReaderBuilder::new()
            .flexible(false)
            .from_reader(source.text.as_bytes());
        let header = match reader.headers() {
            Ok(header) => header.clone(),
            Err(error) => {
                let why = of_csv(&error);
                let message = format!("{} is not CSV: {why}", source.path.display());
                self.error(
                    "table_invalid",
                    &span,
                    message,
                    "the first line names the columns",
                );
                return None;
            }
        };
        let mut places = Vec::new();
        for name in names {
            match header.iter().position(|known| known.trim() == *name) {
                Some(at) => places.push(at),
                None => {
                    let message = format!("{} has no column `{name}`", source.path.display());
                    let help = match nearest(name, header.iter()) {
                        Some(near) => format!("did you mean `{near}`?"),
                        None => "its first line names the columns".to_owned(),
                    };
                    self.error("table_invalid", &span, message, &help);
                    return None;
                }
            }
        }
        let mut rows = Vec::new();
        for record in reader.records() {
            match record {
                Ok(record) => {
                    let start = record.position().map_or(0, |at| at.byte() as usize);
                    let line = source.text[start..]
                        .find('\n')
                        .map_or(source.text.len(), |at| start + at);
                    let cell = |at: &usize| Some((record.get(*at)?.to_owned(), start..line));
                    rows.push(places.iter().map(cell).collect());
                }
                Err(error) => {
                    let at = error.position().map_or(1, |at| at.line() as usize);
                    self.faults.error(
                        "table_invalid",
                        source,
                        &source.line(at),
                        of_csv(&error),
                        "every line has as many cells as the first; text with commas is quoted"
                            .to_owned(),
                    );
                    return None;
                }
            }
        }
        Some(rows)
    }

    fn yaml(&mut self, source: &Arc<Source>, names: &[&str]) -> Option<Vec<Row>> {
        let root = yaml::parse_within(Bounds::ROWS, source, self.faults)?;
        let shape = |faults: &mut Faults, node: &Node| {
            let message = format!("a table is a list of mappings, this is {}", node.kind());
            let help = "write `- { code: DE, name: Germany }`".to_owned();
            faults.error("table_invalid", source, &node.span, message, help);
        };
        let Data::List(items) = &root.data else {
            shape(self.faults, &root);
            return None;
        };
        let mut rows = Vec::new();
        for item in items {
            if !matches!(item.data, Data::Map(_)) {
                shape(self.faults, item);
                return None;
            }
            let cell = |name: &&str| {
                let node = item.get(name)?;
                Some((node.text()?.to_owned(), node.span.clone()))
            };
            let row: Row = names.iter().map(cell).collect();
            if let Some(at) = row.iter().position(Option::is_none) {
                let message = format!("the row has no `{}`", names[at]);
                let help = "every row has a value for the key and for every column".to_owned();
                self.faults
                    .error("table_invalid", source, &item.span, message, help);
                return None;
            }
            rows.push(row);
        }
        Some(rows)
    }

    fn table(
        &mut self,
        source: &Arc<Source>,
        names: &[&str],
        types: &[&str],
        rows: Vec<Row>,
    ) -> Option<Table> {
        let columns = names.iter().zip(types).skip(1);
        let columns = columns.map(|(name, ty)| ((*name).to_owned(), type_of(ty)));
        let mut table = Table::new(
            self.table.name.value.clone(),
            types[0] == "int",
            columns.collect(),
        );
        for row in rows {
            let mut values = Vec::with_capacity(row.len());
            for (at, cell) in row.into_iter().enumerate() {
                let (text, span) = cell?;
                let Some(value) = typed(types[at], &text) else {
                    let message =
                        format!("a cell of `{}` is not of the type {}", names[at], types[at]);
                    let help = "mend the cell, or the type under `columns`".to_owned();
                    self.faults
                        .error("table_invalid", source, &span, message, help);
                    return None;
                };
                values.push((value, span));
            }
            let mut values = values.into_iter();
            let (key, span) = values.next()?;
            if !table.insert(&key, values.map(|(value, _)| value).collect()) {
                let message = format!("the key `{}` is there twice", names[0]);
                let help = "every key has one row".to_owned();
                self.faults
                    .error("table_invalid", source, &span, message, help);
                return None;
            }
        }
        Some(table)
    }
}

/// What is wrong with a file of CSV.
fn of_csv(error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::UnequalLengths {
            expected_len, len, ..
        } => format!("this line has {len} cells, and the first {expected_len}"),
        csv::ErrorKind::Io(error) => words::of_io(error),
        _ => "it is not text in UTF-8".to_owned(),
    }
}

fn type_of(word: &str) -> Type {
    match word {
        "int" => Type::Int,
        "double" => Type::Double,
        "bool" => Type::Bool,
        "decimal" => Type::Decimal,
        _ => Type::String,
    }
}

fn typed(ty: &str, text: &str) -> Option<Const> {
    let text = if ty == "string" { text } else { text.trim() };
    constant(ty, &serde_json::Value::String(text.to_owned())).map(|(value, _)| value)
}
