# Figures. Makes figures/.
