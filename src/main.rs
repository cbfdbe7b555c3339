//! The `kangqiao` binary: reads the command line and runs one command.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use kangqiao::command::{
    Failure, ask, backup, card, certs, check, demo, doctor, explain, hold, identity, interface,
    keys, ledger, mappings, notices, operate, policy, send, serve, store, trace, translate, user,
    witness,
};
use mimalloc::MiMalloc;
use zeroizing_alloc::ZeroAlloc;

/// What is freed is zeroed, so that nothing personal outlives the message or answer it was for.
#[global_allocator]
static ALLOCATOR: ZeroAlloc<MiMalloc> = ZeroAlloc(MiMalloc);

/// 康桥 Kangqiao, a gateway between health and civil affairs.
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = true)]
struct Line {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// 查询 Ask as a department and print the answer.
    Ask(ask::Args),
    /// 备份 Copy the store while the gateway serves.
    Backup(backup::Backup),
    /// 证书 A certificate authority for development and small sites.
    Certs(certs::Args),
    /// 电子健康卡 The id of an electronic health card.
    Card(card::Args),
    /// 检查 Read configuration, mappings and policies; answer with file, line and column.
    Check(check::Args),
    /// 演示 The whole story over real sockets, on simulated systems.
    Demo(demo::Args),
    /// 体检 Look at everything that may be wrong; change nothing.
    Doctor(doctor::Args),
    /// 抹除 Destroy the keys of everything kept about a person.
    Erase(operate::Erase),
    /// 解释 What would be released to a department, and by which rule.
    Explain(explain::Args),
    /// 保全 Entries of the ledger that are kept beyond their time.
    Hold(hold::Args),
    /// 人员 Who is one person: match a file of records, or veil it.
    Identity(identity::Args),
    /// 接口 The published interface for machines: OpenAPI, XSD, columns.
    Interface(interface::Args),
    /// 密钥 New keys for what is sealed at rest: next, rotate, status.
    Keys(keys::Args),
    /// 台账 Verify, search or export the ledger.
    Ledger(ledger::Args),
    /// 映射 What the mapping files say: check, coverage, diff, schema, show.
    Mappings(mappings::Args),
    /// 通知 How subscriptions stand, and what becomes of dead notices.
    Notices(notices::Args),
    /// 策略 What the policies say: check, test, diff, explain, apply, versions.
    Policy(policy::Args),
    /// 重新加载 Read configuration, certificates, mappings and policies again.
    Reload(operate::Reload),
    /// 重放 Try quarantined messages again.
    Replay(operate::Replay),
    /// 恢复 Put a backup in the place of a store that was lost.
    Restore(backup::Restore),
    /// 发送 Send messages as a hospital and print the acknowledgements.
    Send(send::Args),
    /// 运行 Run the gateway.
    Serve(serve::Args),
    /// 存储 Move all rows to another database, proven.
    Store(store::Args),
    /// 追踪 What became of a message: find it, or tell its whole way.
    Trace(trace::Args),
    /// 翻译 What a message becomes.
    Translate(translate::Args),
    /// 撤销合并 Set a person free again that was merged into another.
    Unmerge(operate::Unmerge),
    /// 用户 Who may sign in to the console.
    User(user::Args),
    /// 见证 Sign what the ledgers of others show, as their witness.
    Witness(witness::Args),
}

fn main() -> ExitCode {
    let outcome: Result<(), Failure> = match Line::parse().command {
        Command::Ask(args) => ask::run(args),
        Command::Backup(args) => args.run(),
        Command::Certs(args) => certs::run(args),
        Command::Card(args) => card::run(args),
        Command::Check(args) => check::run(args),
        Command::Demo(args) => demo::run(args),
        Command::Doctor(args) => doctor::run(args),
        Command::Erase(args) => args.run(),
        Command::Explain(args) => explain::run(args),
        Command::Hold(args) => hold::run(args),
        Command::Identity(args) => identity::run(args),
        Command::Interface(args) => interface::run(args),
        Command::Keys(args) => keys::run(args),
        Command::Ledger(args) => ledger::run(args),
        Command::Mappings(args) => mappings::run(args),
        Command::Notices(args) => notices::run(args),
        Command::Policy(args) => return policy::run(args),
        Command::Reload(args) => args.run(),
        Command::Replay(args) => args.run(),
        Command::Restore(args) => args.run(),
        Command::Send(args) => send::run(args),
        Command::Serve(args) => serve::run(args),
        Command::Store(args) => store::run(args),
        Command::Trace(args) => trace::run(args),
        Command::Translate(args) => translate::run(args),
        Command::Unmerge(args) => args.run(),
        Command::User(args) => user::run(args),
        Command::Witness(args) => witness::run(args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}
