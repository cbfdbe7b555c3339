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
    invite "邀请审计员" "Invite an auditor";
    invite_lead
        "审计员只由审计员邀请；其他身份由运维人员在网关主机上邀请。邀请会记入台账。"
        "Auditors are invited by auditors alone, other roles from the gateway's machine. It is \
         written to the ledger.";
    send "生成一次性链接" "Make a one-time link";
    invited "一次性链接" "One-time link";
    hand_over
        "请经可信途径交给本人。链接只显示这一次，只能用一次。"
        "Hand it to that person by a way you trust. It is shown this once, and works once.";
    taken "已有此用户名。" "There is a user of that name already.";
    name_shape
        "用户名为 1 至 32 个字符，限 a-z、0-9、点、连字符、下划线。"
        "A user name is 1 to 32 of the characters a-z, 0-9, dot, hyphen and underscore.";
}
