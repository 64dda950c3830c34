// Passkeys: forms that need one wait for it, then send its answer in a hidden field.
// data-passkey holds what to ask the browser for, as JSON; data-passkey-kind is create or get.

const decode = (text) =>
  Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (letter) => letter.charCodeAt(0));
const encode = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");

function prepared(options) {
  const list = (credentials) => (credentials ?? []).map((one) => ({ ...one, id: decode(one.id) }));
  return {
    ...options,
    challenge: decode(options.challenge),
    ...(options.user && { user: { ...options.user, id: decode(options.user.id) } }),
    ...(options.excludeCredentials && { excludeCredentials: list(options.excludeCredentials) }),
    ...(options.allowCredentials && { allowCredentials: list(options.allowCredentials) }),
  };
}

function written(credential) {
  const response = {};
  for (const name of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]) {
    if (credential.response[name]) response[name] = encode(credential.response[name]);
  }
  const id = encode(credential.rawId);
  return JSON.stringify({ id, rawId: id, type: credential.type, response, clientExtensionResults: {} });
}

for (const button of document.querySelectorAll("[data-passkey]")) {
  const form = button.form;
  const said = form.querySelector("[data-passkey-said]");
  if (!window.PublicKeyCredential) {
    said.textContent = said.dataset.unable;
    continue;
  }
  button.hidden = false;
  button.addEventListener("click", async () => {
    const making = button.dataset.passkeyKind === "create";
    const others = [...form.elements].filter((field) => field.name !== "code");
    if (!others.every((field) => field.reportValidity())) return;
    const publicKey = prepared(JSON.parse(button.dataset.passkey));
    said.textContent = said.dataset.waiting;
    button.disabled = true;
    try {
      const credential = await navigator.credentials[making ? "create" : "get"]({ publicKey });
      form.elements.passkey.value = written(credential);
      form.noValidate = true;
      form.submit();
    } catch {
      said.textContent = said.dataset.failed;
      button.disabled = false;
    }
  });
}
