//! The prices of a run: from a file, from a list that was fetched and kept, or built in.

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
    kept::{PriceFolder, older_than_built_in},
};
use crate::error::CommandError;

/// The most bytes of a price list. AWS's lists of all regions together have some megabytes.
const LONGEST_LIST: usize = 32 * 1024 * 1024;

#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Prices")]
pub(crate) struct PriceOptions {
    /// Price list to use: AWS's of one region, or the output of powertune prices --output json
    #[arg(long, value_name = "FILE")]
    prices: Option<PathBuf>,
}

#[derive(Debug, Clone)]
pub(crate) struct PriceFile {
    name: String,
    listings: Vec<Listing>,
}

impl PriceOptions {
    /// Reads the file, if there is one.
    ///
    /// # Errors
    /// When it can't be read, or is no price list: bad input.
    pub(crate) fn read(&self) -> Result<Option<PriceFile>, CommandError> {
        let Some(path) = &self.prices else { return Ok(None) };
        let name = path.display().to_string();
        let fault = |problem: String| {
            CommandError::input(
                "--prices",
                format!(
                    "{name} is not used: {problem}; give AWS's price list of one region, or one that \
                     `powertune prices --output json` prints"
                ),
            )
        };
        let text = read(path, LONGEST_LIST).map_err(|error| fault(error.to_string()))?;
        let listings = parse_list(&text).map_err(|error| fault(error.to_string()))?;
        Ok(Some(PriceFile { name, listings }))
    }
}

impl PriceFile {
    /// The prices of all its regions.
    pub(crate) fn prices(self) -> Prices {
        Prices::of_file(self.listings, self.name)
    }

    /// The prices for a run in `region`.
    ///
    /// # Errors
    /// When the file has none of that region: bad input.
    fn for_region(self, region: &Region) -> Result<Prices, CommandError> {
        if self.listings.iter().any(|listing| listing.region == *region) {
            return Ok(self.prices());
        }
        let has: Vec<&str> = self.listings.iter().map(|listing| listing.region.as_str()).collect();
        Err(CommandError::input(
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

/// The prices of a run in `region`. If fetched prices can't be used, `say` gets the reason.
///
/// # Errors
/// When the file has none for the region.
pub(crate) fn of_run(
    file: Option<PriceFile>,
    region: &Region,
    say: impl Fn(&str),
) -> Result<Prices, CommandError> {
    if let Some(file) = file {
        return file.for_region(region);
    }
    match PriceFolder::of_user().map(|kept| kept.read(region)) {
        None | Some(Ok(None)) => Ok(Prices::default()),
        Some(Ok(Some(listing))) => Ok(Prices::fetched([listing])),
        Some(Err(not_used)) => {
            say(&not_used.to_string());
            Ok(Prices::default())
        }
    }
}

/// Reads a file of at most `longest` bytes.
///
/// # Errors
/// When it can't be read, is longer, or is no regular file: reading a pipe could take forever.
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

fn unusable(fault: &ListFault) -> io::Error {
    io::Error::other(fault.to_string())
}
