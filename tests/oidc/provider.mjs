// A real OpenID provider on the loopback, for tests.
// It talks in lines of JSON. The first line on standard input is its configuration; it answers with
// its issuer. Each later line sets its clock, {"now": milliseconds or null}, and is answered too.
// It ends when standard input closes, and so never outlives whoever started it.

import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

const KEYS = {
  RS256: () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
  ES256: () => generateKeyPairSync('ec', { namedCurve: 'P-256' }),
};
const say = (words) => process.stdout.write(`${JSON.stringify(words)}\n`);
console.info = console.error; // standard output is for our lines alone

const realNow = Date.now;
let stopped = null; // the moment at which the clock stands
Date.now = () => stopped ?? realNow();

async function load() {
  // The package is installed in the working directory, not beside this file.
  const entry = createRequire(join(process.cwd(), 'package.json')).resolve('oidc-provider');
  return (await import(pathToFileURL(entry))).default;
}

function listen(port) {
  const server = createServer();
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => resolve(server));
  });
}

async function start(config) {
  const { port = 0, accounts, clients, id_token_signed_response_alg: algorithm = 'RS256' } = config;
  const [Provider, server] = await Promise.all([load(), listen(port)]);
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const claimsOf = new Map(accounts.map(({ sub, claims }) => [sub, claims]));
  const every = [...claimsOf.values()];
  const key = KEYS[algorithm]().privateKey.export({ format: 'jwk' });

  const provider = new Provider(issuer, {
    acrValues: [...new Set(every.flatMap(({ acr }) => acr ?? []))],
    claims: {
      openid: ['sub'],
      identity: [...new Set(['acr', ...every.flatMap(Object.keys)])],
    },
    clients: clients.map((client) => ({
      application_type: 'web',
      grant_types: ['authorization_code'],
      id_token_signed_response_alg: algorithm,
      require_auth_time: true, // a holder's own pages want to know when he last signed in
      response_types: ['code'],
      token_endpoint_auth_method: 'none', // a public client: PKCE stands for a secret
      ...client,
    })),
    conformIdTokenClaims: false, // the claims of a scope are in the ID token, not only at userinfo
    cookies: { keys: [randomBytes(32).toString('hex')] },
    enabledJWA: { idTokenSigningAlgValues: [algorithm] },
    features: { devInteractions: { enabled: false } },
    findAccount: (_ctx, sub) => claimsOf.has(sub)
      ? { accountId: sub, claims: () => ({ ...claimsOf.get(sub), sub }) }
      : undefined,
    interactions: { url: (_ctx, interaction) => `/interaction/${interaction.uid}` },
    jwks: { keys: [{ ...key, alg: algorithm, kid: randomBytes(8).toString('hex'), use: 'sig' }] },
    pkce: { required: () => true },
    ttl: { AccessToken: 600, Grant: 600, IdToken: 600, Interaction: 600, Session: 600 },
  });
  provider.on('server_error', (_ctx, error) => console.error(error));

  // The page that a person would see: here one visit signs in and consents.
  async function interact(request, response, account) {
    if (!claimsOf.has(account)) {
      response.writeHead(403, { 'content-type': 'text/plain' }).end(`no such account: ${account}`);
      return;
    }
    const { params } = await provider.interactionDetails(request, response);
    const grant = new provider.Grant({ accountId: account, clientId: params.client_id });
    grant.addOIDCScope(params.scope);
    await provider.interactionFinished(request, response, {
      login: { accountId: account, acr: claimsOf.get(account).acr },
      consent: { grantId: await grant.save() },
    });
  }

  const standard = provider.callback();
  server.on('request', (request, response) => {
    const { pathname, searchParams } = new URL(request.url, issuer);
    if (!pathname.startsWith('/interaction/')) {
      standard(request, response);
      return;
    }
    interact(request, response, searchParams.get('account')).catch((error) => {
      console.error(error);
      response.writeHead(400, { 'content-type': 'text/plain' }).end(String(error));
    });
  });
  say({ issuer });
}

let started = false;
createInterface({ input: process.stdin })
  .on('line', (line) => {
    const words = JSON.parse(line);
    if (started) {
      stopped = words.now;
      say(words);
    } else {
      started = true;
      start(words); // a failure ends the process, with its reason on standard error
    }
  })
  .on('close', () => process.exit());
