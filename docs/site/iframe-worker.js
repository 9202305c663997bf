/* The search runs in a worker, which browsers refuse to pages that were opened from the disk. There, a hidden frame takes
   the worker's place: it loads the same script, and messages are handed over as events. The theme asks for this name. */
(() => {
  if (location.protocol !== "file:") return;

  class IFrameWorker extends EventTarget {
    constructor(url) {
      super();
      this.waiting = [];
      this.frame = document.createElement("iframe");
      this.frame.hidden = true;
      document.body.appendChild(this.frame);
      const inner = this.frame.contentWindow;
      inner.postMessage = data => this.tell(this, data);
      inner.importScripts = (...urls) =>
        urls.reduce((done, one) => done.then(() => this.load(one)), Promise.resolve());
      this.load(url).then(() => {
        this.waiting.forEach(data => this.tell(inner, data));
        this.waiting = null;
      });
    }

    load(url) {
      return new Promise((resolve, reject) => {
        const script = this.frame.contentDocument.createElement("script");
        script.onload = resolve;
        script.onerror = reject;
        script.src = url;
        this.frame.contentDocument.body.appendChild(script);
      });
    }

    tell(receiver, data) {
      const event = new MessageEvent("message", { data });
      receiver.dispatchEvent(event);
      if (typeof receiver.onmessage === "function") receiver.onmessage(event);
    }

    postMessage(data) {
      if (this.waiting) this.waiting.push(data);
      else this.tell(this.frame.contentWindow, data);
    }

    terminate() {
      this.frame.remove();
    }
  }

  window.IFrameWorker = IFrameWorker;
  window.Worker = IFrameWorker;
})();
