//! Why a device may not be used, and who would have to join which group.

use super::machine::Files;

/// What lets this user use a device.
pub(super) fn mend(files: &Files, path: &str) -> String {
    let user = files.user();
    let name = user_name(files, user.id).unwrap_or_else(|| "USER".into());
    let Some((gid, mode)) = files.owner(path) else { return format!("let this user read and write {path}") };
    let group = group(files, gid).filter(|_| mode & 0o060 == 0o060);
    match group {
        Some(group) if group.members.contains(&name) => format!(
            "{name} is in the group `{}` since this login began: log in again, or restart the service",
            group.name
        ),
        Some(group) => format!(
            "`sudo usermod -aG {} {name}`, then log in again; in a systemd unit: SupplementaryGroups={}",
            group.name, group.name
        ),
        None => format!(
            "no group may use it: add a udev rule, such as KERNEL==\"{}\", MODE=\"0660\"",
            kernel(path)
        ),
    }
}

/// The kernel's name of a device.
fn kernel(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

struct Group {
    name: String,
    members: Vec<String>,
}

fn group(files: &Files, gid: u32) -> Option<Group> {
    let groups = files.read("/etc/group")?;
    groups.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, number, members) = (fields.next()?, fields.nth(1)?, fields.next()?);
        let members = || members.split(',').map(str::to_string).collect();
        (number.parse() == Ok(gid)).then(|| Group { name: name.to_string(), members: members() })
    })
}

fn user_name(files: &Files, uid: u32) -> Option<String> {
    let users = files.read("/etc/passwd")?;
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, number) = (fields.next()?, fields.nth(1)?);
        (number.parse() == Ok(uid)).then(|| name.to_string())
    })
}
