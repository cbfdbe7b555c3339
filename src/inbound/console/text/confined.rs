//! The texts of what the kernel keeps the process from.

use super::Lang;

texts! { ConfinedText:
    title "进程隔离" "Confinement";
    files "只能读写自己的目录" "Only its own folders";
    ports "只能使用已配置的端口" "Only the ports configured";
    calls "不能启动任何程序" "No program can be started";
    wholly "已隔离" "confined";
    partly "部分隔离：请升级内核" "partly confined: a newer kernel is needed";
    not_at_all "未隔离" "not confined";
}
