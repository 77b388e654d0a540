//! Reads recorded samples, or their published summaries, from a CSV file.

use std::{collections::BTreeMap, io::Read, path::Path};

use csv::{Position, Reader, StringRecord};
use powertune_core::{architecture::Architecture, power::Power};
use serde::Deserialize;

use crate::{
    distribution::Distribution,
    function::{Function, Name},
};

/// The meaning of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// One invocation.
    Samples,
    /// The mean and the 99th percentile of many invocations.
    Summary,
}

/// The selection from a file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    /// The meaning of the rows. `None` means that the columns tell.
    pub(crate) format: Option<Format>,
    /// True to replay cold starts, false to replay warm invocations.
    pub(crate) cold: bool,
    /// True to draw the first invocation at a size from the cold starts, if there are any.
    pub(crate) cold_warm_ups: bool,
}

/// The columns that matter.
#[derive(Debug, Deserialize)]
struct Row {
    source: String,
    function: String,
    arch: String,
    memory_mb: i64,
    cold: u8,
    #[serde(default)]
    duration_ms: f64,
    #[serde(default)]
    mean_ms: f64,
    #[serde(default)]
    p99_ms: f64,
    #[serde(default)]
    n: f64,
}

/// The rows of one function by size: first the warm ones, then the cold ones.
#[derive(Debug, Default)]
struct Rows([BTreeMap<Power, Vec<Row>>; 2]);

impl Format {
    /// The format of a file with these columns.
    fn of(headers: &StringRecord) -> Self {
        let has = |column: &str| headers.iter().any(|header| header == column);
        if has("mean_ms") && !has("duration_ms") { Self::Summary } else { Self::Samples }
    }

    fn columns(self) -> &'static [&'static str] {
        match self {
            Self::Samples => &["source", "function", "arch", "memory_mb", "duration_ms", "cold"],
            Self::Summary => {
                &["source", "function", "arch", "memory_mb", "cold", "mean_ms", "p99_ms", "n"]
            }
        }
    }

    /// Advice for a file with other columns.
    fn hint(self) -> &'static str {
        match self {
            Self::Samples => "a file of means and percentiles has mean_ms in its place",
            Self::Summary => "a file of single invocations is read without --summary",
        }
    }

    /// The distribution of the rows of one size.
    ///
    /// Several means of one size, and their percentiles, are averaged with the number of their
    /// invocations as weights.
    fn distribution(self, rows: &[Row]) -> Distribution {
        match self {
            Self::Samples => {
                Distribution::of_samples(rows.iter().map(|row| row.duration_ms).collect())
            }
            Self::Summary => {
                let count: f64 = rows.iter().map(|row| row.n).sum();
                let mean = |of: fn(&Row) -> f64| {
                    rows.iter().map(|row| row.n * of(row)).sum::<f64>() / count
                };
                Distribution::lognormal(mean(|row| row.mean_ms), mean(|row| row.p99_ms))
            }
        }
    }
}

impl Row {
    fn name(&self) -> Name {
        let (source, function) = (self.source.clone(), self.function.clone());
        Name { source, function, arch: self.arch.clone() }
    }

    fn is_of(&self, name: &Name) -> bool {
        self.function == name.function && self.arch == name.arch && self.source == name.source
    }

    /// The fault of its figures, if there is one.
    fn fault(&self, format: Format) -> Option<String> {
        let must = |holds: bool, column: &str, what: &str, is: f64| {
            (!holds).then(|| format!("{column} is {is}, which is not {what}"))
        };
        let cold = must(self.cold <= 1, "cold", "0 or 1", f64::from(self.cold));
        let figures = match format {
            Format::Samples => {
                let holds = self.duration_ms.is_finite() && self.duration_ms >= 0.0;
                must(holds, "duration_ms", "a duration", self.duration_ms)
            }
            Format::Summary => {
                let above = |value: f64| value.is_finite() && value > 0.0;
                must(above(self.mean_ms), "mean_ms", "a duration above 0", self.mean_ms)
                    .or_else(|| {
                        must(above(self.p99_ms), "p99_ms", "a duration above 0", self.p99_ms)
                    })
                    .or_else(|| must(above(self.n), "n", "a number of invocations", self.n))
            }
        };
        cold.or(figures)
    }
}

/// The functions of a file with rows of the wanted kind, in the order of their first rows.
pub(crate) fn read(path: &Path, wanted: Wanted) -> Result<Vec<Function>, String> {
    let file = path.display();
    let reader =
        Reader::from_path(path).map_err(|error| format!("{file}: {}", unreadable(&error)))?;
    functions(reader, wanted).map_err(|error| format!("{file}: {error}"))
}

fn functions(mut reader: Reader<impl Read>, wanted: Wanted) -> Result<Vec<Function>, String> {
    let headers = reader.headers().map_err(|error| unreadable(&error))?.clone();
    let format = wanted.format.unwrap_or_else(|| Format::of(&headers));
    let distributions = |sizes: BTreeMap<Power, Vec<Row>>| -> BTreeMap<Power, Distribution> {
        let of = |(power, rows): (Power, Vec<Row>)| (power, format.distribution(&rows));
        sizes.into_iter().map(of).collect()
    };
    let mut functions = Vec::new();
    for (name, Rows([warm, cold])) in rows(reader, &headers, format)? {
        let (sizes, warm_ups) = match (wanted.cold, wanted.cold_warm_ups) {
            (true, _) => (cold, BTreeMap::new()),
            (false, true) => (warm, cold),
            (false, false) => (warm, BTreeMap::new()),
        };
        if sizes.is_empty() {
            continue;
        }
        let architecture: Result<Architecture, _> = name.arch.parse();
        let architecture = architecture.map_err(|error| format!("{name}: {error}"))?;
        let (sizes, warm_ups) = (distributions(sizes), distributions(warm_ups));
        functions.push(Function::new(name, architecture, sizes, warm_ups));
    }
    if functions.is_empty() {
        let (is, other) = if wanted.cold { (1, 0) } else { (0, 1) };
        return Err(format!("no row has {is} in the column cold: try --cold {other}"));
    }
    Ok(functions)
}

/// The rows by function, in the order of their first rows.
fn rows(
    mut reader: Reader<impl Read>,
    headers: &StringRecord,
    format: Format,
) -> Result<Vec<(Name, Rows)>, String> {
    let mut columns = format.columns().iter();
    if let Some(missing) = columns.find(|&&column| !headers.iter().any(|header| header == column)) {
        let (all, hint) = (format.columns().join(", "), format.hint());
        return Err(format!("the column {missing} is missing, of {all}: add it ({hint})"));
    }
    let mut functions: Vec<(Name, Rows)> = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| format!("{error}: correct the row"))?;
        let line = record.position().map_or(0, Position::line);
        let (power, row) = row(&record, headers, format)
            .map_err(|fault| format!("line {line}: {fault}: correct the row"))?;
        let known = functions.iter().position(|(name, _)| row.is_of(name));
        let index = known.unwrap_or_else(|| {
            functions.push((row.name(), Rows::default()));
            functions.len() - 1
        });
        let Rows(by_start) = &mut functions[index].1;
        by_start[usize::from(row.cold)].entry(power).or_default().push(row);
    }
    Ok(functions)
}

fn unreadable(error: &csv::Error) -> String {
    format!("it can't be read: {error}; give a CSV file to --data")
}

/// A usable row, and its size.
fn row(
    record: &StringRecord,
    headers: &StringRecord,
    format: Format,
) -> Result<(Power, Row), String> {
    let row: Row = record.deserialize(Some(headers)).map_err(|error| error.to_string())?;
    let power = Power::new(row.memory_mb).map_err(|error| error.to_string())?;
    row.fault(format).map_or(Ok((power, row)), Err)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::function::tests::{assert_close, power};

    const WARM: Wanted = Wanted { format: None, cold: false, cold_warm_ups: false };
    const SAMPLES: &str = "source,function,arch,memory_mb,sample_index,duration_ms,cold,init_ms\n";
    const SUMMARY: &str = "source,function,arch,memory_mb,cold,mean_ms,p99_ms,init_mean_ms,n\n";

    fn read(header: &str, rows: &str, wanted: Wanted) -> Result<Vec<Function>, String> {
        functions(Reader::from_reader(format!("{header}{rows}").as_bytes()), wanted)
    }

    #[test]
    fn warm_and_cold_rows_are_told_apart() {
        let rows = "a,f,arm64,128,0,30.5,0,\na,f,arm64,128,0,90,1,400\na,g,x86_64,256,0,7,1,\n";
        let at_128 = |wanted: Wanted| read(SAMPLES, rows, wanted).unwrap().remove(0);
        let warm = read(SAMPLES, rows, WARM).unwrap();
        assert_eq!(warm.len(), 1);
        assert_close(warm[0].truth(power(128)).billed_ms, 31.0);
        assert_close(warm[0].warm_up_quantile(power(128), 0.5), 30.5);
        let told_apart = at_128(Wanted { cold_warm_ups: true, ..WARM });
        assert_close(told_apart.quantile(power(128), 0.5), 30.5);
        assert_close(told_apart.warm_up_quantile(power(128), 0.5), 90.0);
        let cold = read(SAMPLES, rows, Wanted { cold: true, ..WARM }).unwrap();
        assert_eq!(cold.len(), 2);
        assert_close(cold[0].quantile(power(128), 0.5), 90.0);
    }

    #[test]
    fn several_summaries_of_one_size_are_averaged_by_their_counts() {
        let rows = "a,f,arm64,128,0,10,10,0,300\na,f,arm64,128,0,20,20,0,100\n";
        let function = read(SUMMARY, rows, WARM).unwrap().remove(0);
        assert_close(function.quantile(power(128), 0.3), 12.5);
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        let error = |header: &str, rows: &str, wanted| read(header, rows, wanted).unwrap_err();
        let row = "a,f,arm64,128,0,30.5,0,\n";
        assert!(error("source\n", "", WARM).starts_with("the column function is missing"));
        let summary = Wanted { format: Some(Format::Summary), ..WARM };
        assert!(error(SAMPLES, row, summary).starts_with("the column mean_ms is missing"));
        assert!(error(SAMPLES, row, Wanted { cold: true, ..WARM }).contains("--cold 0"));
        for (rows, said) in [
            ("a,f,arm64,64,0,30.5,0,\n", "line 3: a memory size of 64 MB is out of range"),
            ("a,f,arm64,128,0,soon,0,\n", "line 3"),
            ("a,f,arm64,128,0,-1,0,\n", "line 3: duration_ms is -1"),
            ("a,f,arm64,128,0,1,2,\n", "line 3: cold is 2"),
            ("a,f,mips,128,0,1,0,\n", "mips"),
        ] {
            let error = error(SAMPLES, &format!("{row}{rows}"), WARM);
            assert!(error.contains(said), "{error}");
        }
    }
}
