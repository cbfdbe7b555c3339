// A certified provider of OpenID Connect (oidc-provider) on a port of its own, with its pages for
// development, where any name signs in: node provider.mjs PORT CERTIFICATE KEY BACK MODULES.
// Whoever is called `lin` is an auditor.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const [port, certificate, key, back, modules] = process.argv.slice(2);
const place = createRequire(pathToFileURL(`${modules}/`)).resolve('oidc-provider');
const { default: Provider } = await import(pathToFileURL(place));
const provider = new Provider(`https://localhost:${port}`, {
  clients: [{
    client_id: 'kangqiao',
    client_secret: 'a secret of the client',
    redirect_uris: [back],
  }],
  claims: { openid: ['sub', 'groups'] },
  conformIdTokenClaims: false,
  pkce: { required: () => true },
  cookies: { keys: ['of the tests'] },
  findAccount: (_, sub) => ({
    accountId: sub,
    claims: async () => ({ sub, groups: sub === 'lin' ? ['staff', 'kq-auditors'] : ['staff'] }),
  }),
});
const tls = { cert: readFileSync(certificate), key: readFileSync(key) };
createServer(tls, provider.callback()).listen(Number(port), '127.0.0.1', () => console.log('ready'));
