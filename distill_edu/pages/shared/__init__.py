"""What the pages share: sliders, pictures, plots, exercises."""
