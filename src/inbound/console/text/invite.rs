//! The texts of invitations.

use super::Lang;

texts! { InviteText:
    title "建立账号" "Make your account";
    lead
        "您受邀使用康桥控制台。此链接只能用一次，请在到期前完成。"
        "You are invited to the console of Kangqiao. This link works once; use it before it is \
         over.";
    role "身份" "Role";
    until "到期" "Good until";
    step_code "一、绑定身份验证器" "1. Your authenticator application";
    scan "用身份验证器应用扫描二维码，或手工输入密钥。" "Scan this code with it, or type the key.";
    picture "供身份验证器扫描的二维码" "QR code for your authenticator application";
    key "密钥" "Key";
    in_application "在本机的身份验证器中打开" "Open it in an application on this device";
    step_password "二、设置密码" "2. Your password";
    password_hint
        "12 至 128 个字符，不得含用户名；建议用几个不相干的词。"
        "12 to 128 characters, without your user name; several words that have nothing to do \
         with each other are best.";
    again "再输一次密码" "The password again";
    step_prove "三、输入应用显示的验证码" "3. The code the application shows";
    make "建立账号并登录" "Make the account and sign in";
    recorded "建立账号会记入台账。" "That the account is made is written to the ledger.";
    weak
        "密码不合要求：须有 12 至 128 个字符，不得含用户名，也不得只是几个字符的重复。"
        "This password does not do: 12 to 128 characters, without your user name, and not a few \
         characters again and again.";
    differ "两次输入的密码不一致。" "The two passwords differ.";
    wrong_code
        "验证码不正确。请检查设备时间，输入应用当前显示的六位数字。"
        "The code is not right. Check the clock of your device, and type the six digits shown now.";
    gone
        "此链接无效：已使用、已到期，或网关已重新启动。请向邀请人索取新链接。"
        "This link is no good: it was used, its time is over, or the gateway was restarted. Ask \
         whoever invited you for another.";
    accounts "账号" "Accounts";
    accounts_lead
        "谁能登录控制台，谁将有账号。每个身份的首位由网关主机单独邀请，此后每位须两方同意：两名审计员，\
         或一名审计员与网关主机（kangqiao user invite）。"
        "Who may sign in, and who is to. The first of a role is invited from the gateway's machine \
         alone; every further one takes two: two auditors, or one and the machine (kangqiao user \
         invite).";
    provider
        "另有单位账号登录：谁是什么身份由其提供方说明，不在此列。"
        "Besides, a provider says who is what: its people are not listed here.";
    accounts_caption "用户文件中的账号" "Accounts of the users file";
    since "建立或重置" "Made or reset";
    waiting "待第二方同意" "Waiting for a second";
    nobody_waits "没有待同意的账号。" "No account waits for a second.";
    spoken_for "已同意" "Spoken for by";
    machine "网关主机" "the machine";
    decide "决定" "Decide";
    agree "同意" "Agree";
    decline "不同意" "Decline";
    invite "提名" "Nominate";
    invite_lead
        "提名、同意与不同意均记入台账。第二方同意即生成一次性链接；一周内无人同意或网关重启则作废。"
        "Each word is written to the ledger. Once a second agrees there is a one-time link; \
         without one in a week, or when the gateway is started again, it is over.";
    send "提名" "Nominate";
    invited "一次性链接" "One-time link";
    hand_over
        "请经可信途径交给本人。链接只显示这一次，只能用一次。"
        "Hand it to that person by a way you trust. It is shown this once, and works once.";
    taken "已有此用户名。" "There is a user of that name already.";
    name_shape
        "用户名为 1 至 32 个字符，限 a-z、0-9、点、连字符、下划线。"
        "A user name is 1 to 32 of the characters a-z, 0-9, dot, hyphen and underscore.";
}
