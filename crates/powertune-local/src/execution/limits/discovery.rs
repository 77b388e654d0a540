//! The folders in which this process can make cgroups.

use std::{
    io,
    path::{Path, PathBuf},
};

use super::CgroupError;

/// A folder in which this process may try to make cgroups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum CgroupParent {
    /// Version 1 has one hierarchy for each controller.
    V1 { cpu: PathBuf, memory: PathBuf },
    /// Version 2 has one hierarchy for all controllers.
    V2 { parent: PathBuf },
}

/// The most promising folder first.
pub(super) fn places() -> Result<Vec<CgroupParent>, CgroupError> {
    let read = |path: &str| {
        std::fs::read_to_string(path)
            .map_err(|source| CgroupError::Refused { what: format!("reading {path}"), source })
    };
    let (mounts, memberships) = (read("/proc/self/mountinfo")?, read("/proc/self/cgroup")?);
    let places = places_in(&mounts, &memberships);
    if places.is_empty() { Err(CgroupError::NotFound) } else { Ok(places) }
}

fn places_in(mountinfo: &str, memberships: &str) -> Vec<CgroupParent> {
    let mounts: Vec<Mount> = mountinfo.lines().filter_map(Mount::parse).collect();
    let mut places = Vec::new();
    let v1 = |controller: &str| {
        let mount = mounts.iter().find(|m| m.is_v1_of(controller))?;
        mount.folder_of(membership(memberships, controller)?)
    };
    if let (Some(cpu), Some(memory)) = (v1("cpu"), v1("memory")) {
        places.push(CgroupParent::V1 { cpu, memory });
    }
    if let Some(v2) = mounts.iter().find(|m| m.kind == "cgroup2")
        && let Some(own) = membership(memberships, "").and_then(|path| v2.folder_of(path))
    {
        // The process's own cgroup is no candidate: a cgroup with processes can't have limited
        // children. Only the root can, and the root is among the ancestors.
        let ancestors = own.ancestors().skip(1).take_while(|a| a.starts_with(&v2.point));
        let root = (own == v2.point).then_some(own.as_path());
        places.extend(
            root.into_iter().chain(ancestors).map(|a| CgroupParent::V2 { parent: a.to_owned() }),
        );
    }
    places
}

/// A line of `/proc/self/mountinfo` about cgroups.
#[derive(Debug)]
struct Mount<'a> {
    /// The cgroup at the mount point. In a container it is not the root.
    root: String,
    point: PathBuf,
    kind: &'a str,
    options: &'a str,
}

impl<'a> Mount<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let (mount, filesystem) = line.split_once(" - ")?;
        let mut mount = mount.split(' ').skip(3);
        let (root, point) = (unescape(mount.next()?), unescape(mount.next()?));
        let mut filesystem = filesystem.split(' ');
        let (kind, _source, options) = (filesystem.next()?, filesystem.next()?, filesystem.next()?);
        let is_cgroup = matches!(kind, "cgroup" | "cgroup2");
        is_cgroup.then(|| Self { root, point: PathBuf::from(point), kind, options })
    }

    fn is_v1_of(&self, controller: &str) -> bool {
        self.kind == "cgroup" && self.options.split(',').any(|option| option == controller)
    }

    /// The folder of the cgroup `path`, if it is below the mount.
    fn folder_of(&self, path: &str) -> Option<PathBuf> {
        let below = Path::new(path).strip_prefix(&self.root).ok()?;
        let outside = below.components().any(|part| part.as_os_str() == "..");
        // `join` would add a slash if there is nothing below.
        (!outside).then(|| self.point.iter().chain(below).collect())
    }
}

/// The cgroup of this process: of a v1 controller, or of v2 if the name is empty.
fn membership<'a>(memberships: &'a str, controller: &str) -> Option<&'a str> {
    memberships.lines().find_map(|line| {
        let mut fields = line.splitn(3, ':').skip(1);
        let (controllers, path) = (fields.next()?, fields.next()?);
        controllers.split(',').any(|c| c == controller).then_some(path)
    })
}

/// The kernel writes blanks in paths as octal escapes.
fn unescape(field: &str) -> String {
    [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")]
        .iter()
        .fold(field.to_owned(), |field, (escape, plain)| field.replace(escape, plain))
}

/// Enables limits of CPU and memory for the children of `parent`.
pub(super) fn enable_controllers(parent: &Path) -> Result<(), CgroupError> {
    let refused = |what: &str, source| {
        let what = format!("{what} {}", parent.display());
        CgroupError::Refused { what, source }
    };
    let has = |file: &str| -> io::Result<bool> {
        let names = std::fs::read_to_string(parent.join(file))?;
        Ok(["cpu", "memory"].iter().all(|name| names.split_whitespace().any(|n| n == *name)))
    };
    if !has("cgroup.controllers").map_err(|e| refused("reading the controllers of", e))? {
        return Err(CgroupError::NotFound);
    }
    let control = "cgroup.subtree_control";
    if has(control).map_err(|e| refused("reading the controllers of", e))? {
        return Ok(());
    }
    std::fs::write(parent.join(control), "+cpu +memory")
        .map_err(|e| refused("enabling cpu and memory below", e))
}

#[cfg(test)]
mod tests {
    use super::*;

    const V1: &str = "\
30 29 0:26 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
31 30 0:27 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct
32 30 0:28 / /sys/fs/cgroup/cpuset rw,relatime - cgroup cgroup rw,cpuset
33 30 0:29 / /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory
";
    const V2: &str =
        "25 23 0:22 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate
";

    fn v2(paths: &[&str]) -> Vec<CgroupParent> {
        paths.iter().map(|p| CgroupParent::V2 { parent: PathBuf::from(p) }).collect()
    }

    #[test]
    fn version_1_is_below_our_own_cgroups() {
        let memberships = "9:memory:/jobs/7\n3:cpuset:/\n1:cpu,cpuacct:/\n0::/\n";
        let place = CgroupParent::V1 {
            cpu: PathBuf::from("/sys/fs/cgroup/cpu,cpuacct"),
            memory: PathBuf::from("/sys/fs/cgroup/memory/jobs/7"),
        };
        assert_eq!(places_in(V1, memberships), [place]);
    }

    #[test]
    fn in_a_container_the_mount_shows_a_part_only() {
        let mounts =
            V1.replace("0:27 / ", "0:27 /docker/4f ").replace("0:29 / ", "0:29 /docker/4f ");
        let memberships = "9:memory:/docker/4f\n1:cpu,cpuacct:/docker/4f/x\n";
        let place = CgroupParent::V1 {
            cpu: PathBuf::from("/sys/fs/cgroup/cpu,cpuacct/x"),
            memory: PathBuf::from("/sys/fs/cgroup/memory"),
        };
        assert_eq!(places_in(&mounts, memberships), [place]);
        assert_eq!(places_in(&mounts, "9:memory:/other\n1:cpu,cpuacct:/other\n"), []);
    }

    #[test]
    fn version_2_is_tried_from_our_parent_up() {
        let own = "0::/user.slice/user-1000.slice/app.scope\n";
        assert_eq!(
            places_in(V2, own),
            v2(&[
                "/sys/fs/cgroup/user.slice/user-1000.slice",
                "/sys/fs/cgroup/user.slice",
                "/sys/fs/cgroup",
            ])
        );
        assert_eq!(places_in(V2, "0::/\n"), v2(&["/sys/fs/cgroup"]));
        assert_eq!(places_in(V2, "0::/../../other\n"), []);
    }

    #[test]
    fn mount_points_may_hold_blanks() {
        let mounts = V2.replace("/sys/fs/cgroup", "/mnt/c\\040g\\134x");
        assert_eq!(places_in(&mounts, "0::/\n"), v2(&["/mnt/c g\\x"]));
    }

    #[test]
    fn without_cgroups_there_is_no_place() {
        assert_eq!(places_in("22 1 0:5 / /proc rw - proc proc rw\n", "0::/\n"), []);
        assert_eq!(places_in("garbage", ""), []);
    }

    #[test]
    fn controllers_are_enabled_where_they_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| folder.path().join(name);
        std::fs::write(file("cgroup.controllers"), "cpuset io memory\n").unwrap();
        assert!(matches!(enable_controllers(folder.path()), Err(CgroupError::NotFound)));

        std::fs::write(file("cgroup.controllers"), "cpuset cpu io memory\n").unwrap();
        std::fs::write(file("cgroup.subtree_control"), "memory\n").unwrap();
        enable_controllers(folder.path()).unwrap();
        let written = std::fs::read_to_string(file("cgroup.subtree_control")).unwrap();
        assert_eq!(written, "+cpu +memory");

        std::fs::write(file("cgroup.subtree_control"), "cpu memory\n").unwrap();
        enable_controllers(folder.path()).unwrap();
        let written = std::fs::read_to_string(file("cgroup.subtree_control")).unwrap();
        assert_eq!(written, "cpu memory\n", "nothing to do");
    }
}
