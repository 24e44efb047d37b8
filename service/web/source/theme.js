// Runs before the page is drawn: light or dark as the person's system has it.
const dark = window.matchMedia("(prefers-color-scheme: dark)");
const apply = () => {
  document.documentElement.dataset.bsTheme = dark.matches ? "dark" : "light";
  document.documentElement.classList.add("scripted");
};
apply();
dark.addEventListener("change", apply);
