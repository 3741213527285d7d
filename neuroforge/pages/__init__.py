"""Values -> scale -> strips, scatter, curve (SVG); templates and a view -> page (one HTML file). For every report."""
