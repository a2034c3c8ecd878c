// SPDX-License-Identifier: GPL-2.0
// Starts the slides. With ?check in the address, says in the page which of them do
// not fit: tools/build-slides asks.
Reveal.initialize({
	width: 1280, height: 720, margin: 0.04, hash: true, center: false,
	slideNumber: "c/t", transition: "none", backgroundTransition: "none",
	controls: true, progress: true
}).then(function () {
	"use strict";

	if (location.search !== "?check")
		return;
	var said = document.createElement("pre");

	said.id = "checked";
	Reveal.getSlides().forEach(function (slide, number) {
		Reveal.slide(number);
		var title = slide.querySelector("h1, h2");
		var wide = Math.max.apply(null, [0].concat(Array.from(
			slide.querySelectorAll("pre, table, svg"),
			function (part) { return part.scrollWidth; })));

		said.textContent += (number + 1) + "\t" + slide.scrollHeight + "\t" +
			wide + "\t" + (title ? title.textContent : "(no title)") + "\n";
	});
	document.body.appendChild(said);
});
