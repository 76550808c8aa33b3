// Browsers refuse workers on pages that are opened from the disk; there the search works in a
// frame instead, which is given what it needs of a worker: messages to it and from it.
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(url) {
      super();
      const frame = document.createElement("iframe");
      frame.hidden = true;
      frame.srcdoc = `<script src="${url}"></script>`;
      this.scope = new Promise((done) => {
        frame.onload = () => {
          const scope = frame.contentWindow;
          scope.postMessage = (data) =>
            this.dispatchEvent(new MessageEvent("message", { data }));
          done(scope);
        };
      });
      document.body.append(frame);
    }
    postMessage(data) {
      this.scope.then((scope) => scope.dispatchEvent(new MessageEvent("message", { data })));
    }
  };
}
