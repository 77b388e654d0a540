//! Price lists that this user has fetched, one file a region.
//!
//! They are data and no cache: a cache may be emptied at any time, and the results of two runs would
//! differ for no reason that anybody knows.

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

/// A list of one region in powertune's format has less than a kilobyte.
const LONGEST: usize = 64 * 1024;

/// The folder of the lists.
#[derive(Debug, Clone)]
pub(crate) struct Kept(PathBuf);

/// Why a list that was kept is not used.
#[derive(Debug)]
pub(crate) struct NotUsed {
    path: PathBuf,
    region: Region,
    why: Why,
}

#[derive(Debug)]
enum Why {
    /// It can't be read, or it is no list of the region.
    Unreadable(io::Error),
    /// The built-in prices are newer.
    Older { published: String, built_in: String },
}

impl Kept {
    /// This user's folder, by the XDG Base Directory Specification: `powertune/prices` in
    /// `$XDG_DATA_HOME`, `~/.local/share` by default. Without a home there is none.
    pub(crate) fn of_user() -> Option<Self> {
        let strategy = etcetera::choose_base_strategy().ok()?;
        Some(Self(strategy.data_dir().join("powertune").join("prices")))
    }

    /// The file of a region.
    pub(crate) fn path(&self, region: &Region) -> PathBuf {
        self.0.join(format!("{region}.json"))
    }

    /// The prices that were kept for a region, if there are any.
    ///
    /// # Errors
    /// When they can't be read, or the built-in ones are newer.
    pub(crate) fn read(&self, region: &Region) -> Result<Option<Listing>, NotUsed> {
        let path = self.path(region);
        let not_used = |why| NotUsed { path: path.clone(), region: region.clone(), why };
        let text = match super::read(&path, LONGEST) {
            Err(error) if is_absent(&error) => return Ok(None),
            text => text.map_err(|error| not_used(Why::Unreadable(error)))?,
        };
        let listing = parse_list_of(&text, region)
            .map_err(|fault| not_used(Why::Unreadable(super::unusable(&fault))))?;
        let published = &listing.published;
        match older_than_built_in(&listing) {
            None => Ok(Some(listing)),
            Some(built_in) => Err(not_used(Why::Older { published: published.clone(), built_in })),
        }
    }

    /// The regions that prices were kept for.
    pub(crate) fn regions(&self) -> Vec<Region> {
        let files = fs::read_dir(&self.0).into_iter().flatten().filter_map(Result::ok);
        let region = |path: &Path| {
            let is_list = path.extension().is_some_and(|extension| extension == "json");
            path.file_stem().filter(|_| is_list)?.to_str()?.parse().ok()
        };
        files.filter_map(|file| region(&file.path())).collect()
    }

    /// Keeps prices for their region. There is the old file or the new one, and never half of one.
    ///
    /// # Errors
    /// When the file can't be written; then nothing has changed.
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

/// The date of the built-in prices of a region, where they are newer than these.
pub(crate) fn older_than_built_in(listing: &Listing) -> Option<String> {
    let built_in = built_in().find(|built_in| built_in.region == listing.region)?;
    (built_in.published > listing.published).then(|| built_in.published.clone())
}

/// Whether there is no such file, be it that its folder is none.
fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

impl fmt::Display for NotUsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, region, why } = self;
        write!(f, "the prices that were fetched for {region} are not used: ")?;
        match why {
            Why::Unreadable(error) => write!(f, "{} can't be read: {error}", path.display())?,
            Why::Older { published, built_in } => {
                write!(f, "they are of {published}, and the built-in ones are of {built_in}")?;
            }
        }
        write!(f, "; `powertune prices --update --region {region}` fetches the newest")
    }
}
