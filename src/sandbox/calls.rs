//! System calls a gateway never makes, and an intruder needs.
//!
//! A list of what is denied, not of what is allowed: the latter would have to follow every C
//! library, allocator and database to come, and stop a hospital's gateway where it did not. What
//! it gives up is told by systemd's unit, whose own filter allows by groups.

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, apply_filter,
};

/// Why there is no filter.
pub type CallsError = seccompiler::Error;

/// `CLONE_THREAD` of `clone(2)`: without it, it is a process that is made.
const THREAD: u64 = libc::CLONE_THREAD as u64;
/// Kinds of sockets: addresses of the internet, sockets of this machine, and what the C library
/// asks which addresses the machine has.
const FAMILIES: [i32; 4] = [libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK, libc::AF_UNIX];

/// Denied whatever is asked for.
const DENIED: &[libc::c_long] = &[
    // another program, or another process
    libc::SYS_execve,
    libc::SYS_execveat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_fork,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_vfork,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_pidfd_getfd,
    libc::SYS_kcmp,
    libc::SYS_personality,
    // another root, another machine
    libc::SYS_chroot,
    libc::SYS_pivot_root,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    libc::SYS_setns,
    libc::SYS_unshare,
    libc::SYS_name_to_handle_at,
    libc::SYS_open_by_handle_at,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_quotactl,
    libc::SYS_acct,
    libc::SYS_reboot,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    // the kernel itself
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_syslog,
    libc::SYS_add_key,
    libc::SYS_keyctl,
    libc::SYS_request_key,
    // the clock that entries of the ledger are told by
    libc::SYS_adjtimex,
    libc::SYS_clock_adjtime,
    libc::SYS_clock_settime,
    libc::SYS_settimeofday,
];

/// As if the kernel did not know them, so that who asks takes the older way: that one's flags
/// can be looked at, and what goes through rings cannot.
const UNKNOWN: &[libc::c_long] = &[
    libc::SYS_clone3,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_io_uring_setup,
];

/// Whether the kernel can: it then says of every process how it is filtered.
pub fn offered() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status.lines().any(|line| line.starts_with("Seccomp:")) && programs().is_ok()
}

/// Denies them to the calling thread and what it starts.
pub fn deny() -> Result<(), CallsError> {
    programs()?.iter().try_for_each(|program| apply_filter(program))
}

/// One program for each answer: a filter has one.
fn programs() -> Result<[BpfProgram; 2], CallsError> {
    let always = |calls: &[libc::c_long]| calls.iter().map(|call| (*call, Vec::new())).collect();
    let mut denied: Vec<_> = always(DENIED);
    denied.push((libc::SYS_clone, vec![new_process()?]));
    denied.push((libc::SYS_socket, vec![foreign_family()?]));
    Ok([program(denied, libc::EPERM)?, program(always(UNKNOWN), libc::ENOSYS)?])
}

fn new_process() -> Result<SeccompRule, CallsError> {
    let flags = SeccompCmpOp::MaskedEq(THREAD);
    let condition = SeccompCondition::new(0, SeccompCmpArgLen::Qword, flags, 0)?;
    Ok(SeccompRule::new(vec![condition])?)
}

fn foreign_family() -> Result<SeccompRule, CallsError> {
    let other = |family: &i32| {
        let family = u64::from(family.unsigned_abs());
        SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Ne, family)
    };
    let conditions: Result<Vec<_>, _> = FAMILIES.iter().map(other).collect();
    Ok(SeccompRule::new(conditions?)?)
}

fn program(
    rules: Vec<(libc::c_long, Vec<SeccompRule>)>,
    errno: i32,
) -> Result<BpfProgram, CallsError> {
    let answer = SeccompAction::Errno(errno.unsigned_abs());
    let machine = std::env::consts::ARCH.try_into()?;
    let rules = rules.into_iter().collect();
    Ok(SeccompFilter::new(rules, SeccompAction::Allow, answer, machine)?.try_into()?)
}
