// Reading codes with the camera or from a picture, where the browser has a BarcodeDetector.

const MAX_PICTURE_BYTES = 10 << 20;

/** Tell whether this browser can read QR codes itself. */
export async function canScan() {
  try {
    return (await BarcodeDetector.getSupportedFormats()).includes("qr_code");
  } catch {
    return false;
  }
}

/** Read the one code in a picture; null when this browser cannot, or finds none or several. */
export async function readPicture(file) {
  if (file.size > MAX_PICTURE_BYTES || !(await canScan())) return null;
  try {
    const found = await new BarcodeDetector({ formats: ["qr_code"] }).detect(await createImageBitmap(file));
    return found.length === 1 ? found[0].rawValue : null;
  } catch {
    return null;
  }
}

/** Show the camera until it sees a code, then hand the code over; again to stop. Throws without a camera. */
export async function scan(video, found, changed) {
  if (!video.hidden) {
    stop(video);
    return changed();
  }
  video.srcObject = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
  video.hidden = false;
  changed();
  await video.play();
  const detector = new BarcodeDetector({ formats: ["qr_code"] });
  while (!video.hidden) {
    const [code] = await detector.detect(video).catch(() => []);
    if (code) {
      stop(video);
      changed();
      return found(code.rawValue);
    }
    await new Promise(requestAnimationFrame);
  }
}

function stop(video) {
  for (const track of video.srcObject?.getTracks() ?? []) track.stop();
  video.srcObject = null;
  video.hidden = true;
}
