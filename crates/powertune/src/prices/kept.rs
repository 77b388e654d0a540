//! The price lists that this user has fetched, one file for each region.
//!
//! They are data and not a cache. A cache may be emptied at any time; then the results of two runs
//! would differ for no visible reason.

use std::{
    fmt,
    fs::{self, DirBuilder, Permissions},
    io::{self, ErrorKind, Write},
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::{Path, PathBuf},
};

use etcetera::BaseStrategy;
use powertune_core::{
    price::{Listing, built_in, parse_list_of, write_list},
    region::Region,
};

/// The most bytes of a file. A list of one region has less than a kilobyte.
const LONGEST: usize = 64 * 1024;

/// The folder of the price lists.
#[derive(Debug, Clone)]
pub(crate) struct PriceFolder(PathBuf);

/// A price list that was kept and is not used.
#[derive(Debug)]
pub(crate) struct NotUsed {
    path: PathBuf,
    region: Region,
    why: NotUsedReason,
}

#[derive(Debug)]
enum NotUsedReason {
    /// It can't be read, or is no list of the region.
    Unreadable(io::Error),
    /// The built-in prices are newer.
    Older { published: String, built_in: String },
}

impl PriceFolder {
    /// This user's folder by the XDG Base Directory Specification: `powertune/prices` in
    /// `$XDG_DATA_HOME`, by default in `~/.local/share`. `None` without a home.
    pub(crate) fn of_user() -> Option<Self> {
        let strategy = etcetera::choose_base_strategy().ok()?;
        Some(Self(strategy.data_dir().join("powertune").join("prices")))
    }

    pub(crate) fn path(&self, region: &Region) -> PathBuf {
        self.0.join(format!("{region}.json"))
    }

    /// The prices of a region, if they were kept.
    ///
    /// # Errors
    /// When they can't be read, or the built-in ones are newer.
    pub(crate) fn read(&self, region: &Region) -> Result<Option<Listing>, NotUsed> {
        let path = self.path(region);
        let not_used = |why| NotUsed { path: path.clone(), region: region.clone(), why };
        let text = match super::read(&path, LONGEST) {
            Err(error) if is_absent(&error) => return Ok(None),
            text => text.map_err(|error| not_used(NotUsedReason::Unreadable(error)))?,
        };
        let listing = parse_list_of(&text, region)
            .map_err(|fault| not_used(NotUsedReason::Unreadable(super::unusable(&fault))))?;
        let published = &listing.published;
        match older_than_built_in(&listing) {
            None => Ok(Some(listing)),
            Some(built_in) => {
                Err(not_used(NotUsedReason::Older { published: published.clone(), built_in }))
            }
        }
    }

    /// The regions with a price list.
    pub(crate) fn regions(&self) -> Vec<Region> {
        let files = fs::read_dir(&self.0).into_iter().flatten().filter_map(Result::ok);
        let region = |path: &Path| {
            let is_list = path.extension().is_some_and(|extension| extension == "json");
            path.file_stem().filter(|_| is_list)?.to_str()?.parse().ok()
        };
        files.filter_map(|file| region(&file.path())).collect()
    }

    /// Keeps a list in the file of its region. The file is replaced as a whole.
    ///
    /// # Errors
    /// When the file can't be written; then the old one stays.
    pub(crate) fn write(&self, listing: &Listing) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.0)?;
        let mut builder = tempfile::Builder::new();
        builder.prefix(".powertune-").permissions(Permissions::from_mode(0o600));
        let mut file = builder.tempfile_in(&self.0)?;
        file.write_all(write_list(&[listing]).as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(self.path(&listing.region)).map(|_| ()).map_err(|error| error.error)
    }
}

/// The date of the built-in prices of the region, if they are newer than this list.
pub(crate) fn older_than_built_in(listing: &Listing) -> Option<String> {
    let built_in = built_in().find(|built_in| built_in.region == listing.region)?;
    (built_in.published > listing.published).then(|| built_in.published.clone())
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

impl fmt::Display for NotUsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, region, why } = self;
        write!(f, "the prices that were fetched for {region} are not used: ")?;
        match why {
            NotUsedReason::Unreadable(error) => {
                write!(f, "{} can't be read: {error}", path.display())?;
            }
            NotUsedReason::Older { published, built_in } => {
                write!(f, "they are of {published}, and the built-in ones are of {built_in}")?;
            }
        }
        write!(f, "; `powertune prices --update --region {region}` fetches the newest")
    }
}
