//! The texts of sign-in by a provider.

use super::Lang;

texts! { OpenIdText:
    by_provider "用单位统一账号登录" "Sign in with your organisation's account";
    or "或" "or";
    signed_in "已登录" "Signed in";
    onward "进入控制台" "Go to the console";
    again
        "登录已中断、超时或已用过，请重新登录。"
        "This sign-in was interrupted, took too long or was used before. Sign in again.";
    provider
        "统一身份平台没有应答，或应答不符合要求，请稍后再试或联系运维人员。"
        "The identity provider does not answer as it must. Try later, or ask an operator.";
    no_role
        "您的账号没有控制台身份，请联系管理统一账号的人员。"
        "Your account has no role of the console. Ask whoever looks after accounts.";
    not_believed
        "统一身份平台的应答未通过核验，请重新登录；仍不行请联系运维人员。"
        "What the identity provider says could not be verified. Sign in again; if that does not \
         help ask an operator.";
}
