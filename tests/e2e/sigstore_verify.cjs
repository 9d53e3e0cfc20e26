// Checks one certificate with the verifier of the Sigstore project: sigstore_verify.cjs BUNDLE PUBLIC_KEY_PEM.
// Exits with 0 if it accepts the signature, with 1 and the reason if not.
'use strict';
const fs = require('fs');
const { bundleFromJSON, isBundleWithPublicKey } = require('@sigstore/bundle');
const { Verifier, toSignedEntity } = require('@sigstore/verify');
const { createPublicKey } = require('crypto');

const [bundlePath, keyPath] = process.argv.slice(2);
try {
  const bundle = bundleFromJSON(JSON.parse(fs.readFileSync(bundlePath, 'utf8')));
  if (!isBundleWithPublicKey(bundle)) throw new Error('the bundle names no public key');
  const publicKey = createPublicKey(fs.readFileSync(keyPath));
  const trust = {
    certificateAuthorities: [],
    timestampAuthorities: [],
    tlogs: [],
    ctlogs: [],
    publicKey: () => ({ publicKey, validFor: () => true }),
  };
  const none = { tlogThreshold: 0, ctlogThreshold: 0, timestampThreshold: 0 };
  new Verifier(trust, none).verify(toSignedEntity(bundle));
  console.log('verified');
} catch (error) {
  console.error(`refused: ${error.code || error.name}: ${error.message}`);
  process.exit(1);
}
