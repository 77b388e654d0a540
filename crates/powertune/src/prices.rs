//! The prices that this user goes by: those of a file, those that were fetched and kept, or the
//! built-in ones.

mod fetch;
mod kept;

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use clap::Args;
use powertune_core::{
    price::{ListFault, Listing, Prices, parse_list},
    region::Region,
};

pub(crate) use self::{
    fetch::{FetchError, LONGEST_WAIT, fetch, url},
    kept::{Kept, older_than_built_in},
};
use crate::failure::Failure;

/// No price list is longer. AWS's lists of all regions together have some megabytes.
const LONGEST_LIST: usize = 32 * 1024 * 1024;

#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Prices")]
pub(crate) struct PriceOptions {
    /// Price list to go by: AWS's of one region, or one of powertune prices --output json
    #[arg(long, value_name = "FILE")]
    prices: Option<PathBuf>,
}

/// A price list of a file.
#[derive(Debug, Clone)]
pub(crate) struct ListFile {
    name: String,
    listings: Vec<Listing>,
}

impl PriceOptions {
    /// Reads the file, where one is given.
    ///
    /// # Errors
    /// When it can't be read, or is no price list: bad input.
    pub(crate) fn read(&self) -> Result<Option<ListFile>, Failure> {
        let Some(path) = &self.prices else { return Ok(None) };
        let name = path.display().to_string();
        let fault = |problem: String| {
            Failure::input(
                "--prices",
                format!(
                    "{name} is not used: {problem}; give AWS's price list of one region, or one that \
                     `powertune prices --output json` prints"
                ),
            )
        };
        let text = read(path, LONGEST_LIST).map_err(|error| fault(error.to_string()))?;
        let listings = parse_list(&text).map_err(|error| fault(error.to_string()))?;
        Ok(Some(ListFile { name, listings }))
    }
}

impl ListFile {
    /// All of its prices.
    pub(crate) fn prices(self) -> Prices {
        Prices::of_file(self.listings, self.name)
    }

    /// Its prices, for a run in `region`.
    ///
    /// # Errors
    /// When it has none of that region: bad input.
    fn for_region(self, region: &Region) -> Result<Prices, Failure> {
        if self.listings.iter().any(|listing| listing.region == *region) {
            return Ok(self.prices());
        }
        let has: Vec<&str> = self.listings.iter().map(|listing| listing.region.as_str()).collect();
        Err(Failure::input(
            "--prices",
            format!(
                "{} has no prices of {region}, where the function runs, only of {}: give a list that \
                 has them",
                self.name,
                has.join(", ")
            ),
        ))
    }
}

/// The prices of a run in `region`; `say` is told why fetched ones are not used, where they are not.
///
/// # Errors
/// When the file has none for the region.
pub(crate) fn of_run(
    file: Option<ListFile>,
    region: &Region,
    say: impl Fn(&str),
) -> Result<Prices, Failure> {
    if let Some(file) = file {
        return file.for_region(region);
    }
    match Kept::of_user().map(|kept| kept.read(region)) {
        None | Some(Ok(None)) => Ok(Prices::default()),
        Some(Ok(Some(listing))) => Ok(Prices::fetched([listing])),
        Some(Err(not_used)) => {
            say(&not_used.to_string());
            Ok(Prices::default())
        }
    }
}

/// Reads a file of `longest` bytes at most.
///
/// # Errors
/// Also when it is longer, or no file: to read a pipe would be to wait for its other end.
fn read(path: &Path, longest: usize) -> io::Result<Vec<u8>> {
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is not a file"));
    }
    let mut text = Vec::new();
    File::open(path)?.take(longest as u64 + 1).read_to_end(&mut text)?;
    if text.len() > longest {
        return Err(io::Error::other(format!("it is longer than {} MB", longest / 1024 / 1024)));
    }
    Ok(text)
}

/// A list that can't be used, as an error of reading it.
fn unusable(fault: &ListFault) -> io::Error {
    io::Error::other(fault.to_string())
}
